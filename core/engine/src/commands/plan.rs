//! `%%plan`: memory and time of a `%%finetune` before it starts. Weights are not loaded.

use luthier_protocol::Response;
use luthier_protocol::spec::FinetuneSpec;

use crate::Error;
use crate::service::Context;
use crate::training;

pub(crate) fn plan(context: Context<'_>, spec: &FinetuneSpec) -> Result<Response, Error> {
    training::plan(context, spec).map(Response::Planned)
}
