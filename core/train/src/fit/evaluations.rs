//! Evaluations of a run so far: when one is due, which is the best, and when enough is enough. All of
//! it follows from the list itself, so that nothing else needs saving.

use crate::TrainConfig;

/// One evaluation, as a checkpoint keeps it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) step: u64,
    pub(crate) loss: f64,
    pub(crate) n_target_tokens: u64,
}

/// All evaluations of a run, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Evaluations(pub(crate) Vec<Recorded>);

impl Evaluations {
    /// Is one to be made now?
    pub(crate) fn is_due(&self, step: u64, total_steps: u64, config: &TrainConfig) -> bool {
        let wanted = config.eval_steps > 0 && step > 0;
        let now = wanted && (step.is_multiple_of(config.eval_steps) || step == total_steps);
        now && self.0.last().is_none_or(|last| last.step < step)
    }

    /// Index of the best: the first whose loss none later is lower than by more than the threshold.
    pub(crate) fn best(&self, config: &TrainConfig) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (index, evaluation) in self.0.iter().enumerate() {
            let better = best.is_none_or(|best| evaluation.loss < self.0[best].loss - config.early_stopping_threshold);
            if better {
                best = Some(index);
            }
        }
        best
    }

    /// The step whose checkpoint must not be lost.
    pub(crate) fn best_step(&self, config: &TrainConfig) -> Option<u64> {
        self.best(config).filter(|_| config.keeps_best()).map(|index| self.0[index].step)
    }

    /// No better one for as long as the run is patient.
    pub(crate) fn is_enough(&self, config: &TrainConfig) -> bool {
        let (Some(patience), Some(best)) = (config.early_stopping_patience, self.best(config)) else { return false };
        (self.0.len() - 1 - best) as u64 >= patience
    }

    /// Three numbers each, for a checkpoint.
    pub(crate) fn flatten(&self) -> Vec<f64> {
        self.0.iter().flat_map(|one| [one.step as f64, one.loss, one.n_target_tokens as f64]).collect()
    }

    /// Back from a checkpoint's numbers.
    pub(crate) fn unflatten(numbers: &[f64]) -> Option<Evaluations> {
        let of = |three: &[f64]| Recorded { step: three[0] as u64, loss: three[1], n_target_tokens: three[2] as u64 };
        numbers.len().is_multiple_of(3).then(|| Evaluations(numbers.chunks_exact(3).map(of).collect()))
    }
}

#[cfg(test)]
mod tests;
