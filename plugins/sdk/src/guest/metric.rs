//! Exports a [`Metric`].

use std::cell::RefCell;
use std::marker::PhantomData;

use super::convert::{batch_in, batch_out, config_in, context_in, error_out, spec_out};
use super::imports::Capabilities;
use crate::bindings::metric::exports::luthier::plugin::metric as wit;
use crate::{Aggregation, Direction, Metric, Output};

/// The component's exports.
pub struct MetricGuest<M, C>(PhantomData<(M, C)>);

/// An opened metric. The host calls from one thread and never re-enters.
pub struct Session<M, C>(RefCell<M>, PhantomData<C>);

impl<M: Metric + 'static, C: Capabilities> wit::Guest for MetricGuest<M, C> {
    type Session = Session<M, C>;

    fn describe() -> wit::Descriptor {
        super::report_panics();
        let descriptor = M::describe();
        wit::Descriptor {
            id: descriptor.id,
            version: descriptor.version,
            summary: descriptor.summary,
            config_schema: descriptor.config_schema.to_string(),
            inputs: descriptor.inputs.into_iter().map(spec_out).collect(),
            outputs: descriptor.outputs.into_iter().map(output_out).collect(),
            row_independent: descriptor.row_independent,
            group_by: descriptor.group_by,
        }
    }
}

impl<M: Metric + 'static, C: Capabilities> wit::GuestSession for Session<M, C> {
    fn open(config: String, ctx: wit::Context) -> Result<wit::Session, wit::Error> {
        super::report_panics();
        let metric = config_in(&config)
            .and_then(|config| M::open(config, context_in(ctx), C::databases()))
            .map_err(error_out)?;
        Ok(wit::Session::new(Self(RefCell::new(metric), PhantomData)))
    }

    fn score(&self, rows: wit::Batch) -> Result<wit::Batch, wit::Error> {
        self.0.borrow_mut().score(&batch_in(rows)).map(batch_out).map_err(error_out)
    }

    fn reduce(&self, output: String, sums: Vec<Vec<f64>>) -> Result<Vec<f64>, wit::Error> {
        self.0.borrow_mut().reduce(&output, &sums).map_err(error_out)
    }
}

fn output_out(output: Output) -> wit::Output {
    wit::Output {
        name: output.name,
        description: output.description,
        direction: match output.direction {
            Direction::HigherIsBetter => wit::Direction::HigherIsBetter,
            Direction::LowerIsBetter => wit::Direction::LowerIsBetter,
            Direction::Neutral => wit::Direction::Neutral,
        },
        lower: output.lower,
        upper: output.upper,
        aggregate: match output.aggregate {
            Aggregation::Mean => wit::Aggregation::Mean,
            Aggregation::Proportion => wit::Aggregation::Proportion,
            Aggregation::Ratio(over, under) => wit::Aggregation::Ratio((over, under)),
            Aggregation::Quantile(q) => wit::Aggregation::Quantile(q),
            Aggregation::Sufficient(columns) => wit::Aggregation::Sufficient(columns),
        },
    }
}
