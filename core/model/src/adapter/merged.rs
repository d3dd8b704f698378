//! An adapter's effect as plain weights.

use super::{Adapter, SlotLayout};
use crate::layout::Module;
use crate::ops::linear::directions;
use crate::quant::Nf4;
use crate::weights::{Storage, Weights, transposed};
use crate::{Error, Model, Result};
use std::sync::Arc;

/// What quantizing merged weights loses, over all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantizationError {
    /// The largest |quantized - merged|.
    pub max_abs: f64,
    /// `||quantized - merged|| / ||merged||`.
    pub relative: f64,
    /// `||merged - base||`, of the same base: what the adapter had changed.
    pub change: f64,
    /// `||quantized - merged||`.
    pub error: f64,
}

impl Adapter {
    /// The weight of the module at `path` with the adapter in it, in the checkpoint's orientation.
    /// An adapter that is not on the module changes nothing.
    pub fn merged(&self, base: &Model, path: &str) -> Result<Vec<f32>> {
        let layout = &base.weights().layout;
        match layout.modules.iter().position(|module| module.path == path) {
            Some(id) => Ok(self.merged_weight(base.weights(), id)),
            None => Err(Error::UnknownModule { module: path.to_owned(), known: layout.module_names().join(", ") }),
        }
    }

    /// The model with the adapter in its weights; a quantized one is dense afterwards.
    ///
    /// Errors: a head of its own on a model whose head is the embedding, which has no place in the
    /// weights of such a model.
    pub fn merge_into(&self, base: &Model) -> Result<Model> {
        let mut merged = base.dequantized();
        self.merge(base, &mut merged, |weights, tensor, values, _| {
            weights.tensors[tensor].values = values.into();
            Ok(())
        })?;
        Ok(merged)
    }

    /// The quantized model with the adapter in its weights, quantized again, and what that loses.
    pub fn merge_into_nf4(&self, base: &Model) -> Result<(Model, QuantizationError)> {
        let mut merged = base.clone();
        let [mut error, mut norm, mut change, mut max_abs] = [0.0f64; 4];
        self.merge(base, &mut merged, |weights, tensor, values, module| {
            let Storage::Nf4(before) = &weights.tensors[tensor].values else {
                weights.tensors[tensor].values = values.into();
                return Ok(());
            };
            let values = if module.transposed { transposed(&values, module.out_size) } else { values };
            let after = Nf4::quantize(&weights.tensors[tensor].name, &values, true)?;
            for ((quantized, merged), before) in after.to_vec::<f64>().iter().zip(&values).zip(before.to_vec::<f64>()) {
                let (merged, difference) = (f64::from(*merged), quantized - f64::from(*merged));
                max_abs = max_abs.max(difference.abs());
                error += difference * difference;
                norm += merged * merged;
                change += (merged - before).powi(2);
            }
            weights.tensors[tensor].values = Storage::Nf4(Arc::new(after));
            Ok(())
        })?;
        let relative = if norm > 0.0 { (error / norm).sqrt() } else { 0.0 };
        Ok((merged, QuantizationError { max_abs, relative, change: change.sqrt(), error: error.sqrt() }))
    }

    /// Hands every module's merged weight to `store`, and puts replaced tensors and scaled biases in
    /// their places.
    fn merge(
        &self,
        base: &Model,
        merged: &mut Model,
        mut store: impl FnMut(&mut Weights<f32>, usize, Vec<f32>, &Module) -> Result<()>,
    ) -> Result<()> {
        let (own, layout) = (&self.weights, base.weights().layout.clone());
        let is_tied = layout.head == layout.embedding;
        let has_own_head = own.tied_head.is_some() || own.replaced[layout.embedding].is_some();
        let found = match own.ends.embedding.or(own.ends.head) {
            Some(_) if is_tied => Some(("target_modules", &self.config.target_modules)),
            _ if is_tied && has_own_head => Some(("modules_to_save", &self.config.modules_to_save)),
            _ => None,
        };
        if let Some((setting, names)) = found {
            return super::config::invalid(
                setting,
                "no embedding or head of its own, to be merged into a model whose head is its embedding",
                names.join(", "),
            );
        }
        let weights = merged.weights_mut();
        for (tensor, index) in own.replaced.iter().enumerate() {
            if let Some(index) = index {
                weights.tensors[tensor].values = own.values(*index).to_vec().into();
            }
        }
        super::ends::merge(own, &layout, weights);
        for (id, slot) in own.slots.iter().enumerate() {
            let Some(slot) = slot else { continue };
            let module = &layout.modules[id];
            store(weights, module.weight, self.merged_weight(base.weights(), id), module)?;
            if let (SlotLayout::Scale { scale, on_input: false }, Some(bias)) = (slot, module.bias) {
                let bias = weights.tensors[bias].values.as_mut_slice();
                bias.iter_mut().zip(own.values(*scale)).for_each(|(bias, scale)| *bias *= scale);
            }
        }
        Ok(())
    }

    fn merged_weight(&self, base: &Weights<f32>, id: usize) -> Vec<f32> {
        let (own, module) = (&self.weights, &base.layout.modules[id]);
        let (rows, cols) = (module.out_size, module.in_size);
        let mut values = vec![0.0; rows * cols];
        let weight = base.matrix(module.weight, module.transposed);
        match &own.slots[id] {
            None => weight.rows(0, cols, &mut values),
            Some(SlotLayout::Scale { scale, on_input }) => {
                let scale = own.values(*scale);
                weight.rows(0, cols, &mut values);
                for (i, row) in values.chunks_mut(cols).enumerate() {
                    let factor = |j: usize| if *on_input { scale[j] } else { scale[i] };
                    row.iter_mut().enumerate().for_each(|(j, x)| *x *= factor(j));
                }
            }
            Some(SlotLayout::LowRank { a, b, magnitude, scaling, initial }) => {
                let s = *scaling as f32;
                let mut terms = vec![(s, own.values(*b), own.values(*a))];
                if let Some(initial) = initial {
                    terms.push((-s, &initial.b, &initial.a));
                }
                let magnitude = magnitude.map(|index| own.values(index));
                directions(weight, cols, &terms, cols, &mut values, |first, rows, out| {
                    out.copy_from_slice(rows);
                    let Some(magnitude) = magnitude else { return };
                    for (row, m) in out.chunks_mut(cols).zip(&magnitude[first..]) {
                        let norm = <f32 as crate::real::Real>::dot(row, row).sqrt();
                        row.iter_mut().for_each(|x| *x *= m / norm);
                    }
                });
            }
        }
        if module.transposed { transposed(&values, cols) } else { values }
    }
}
