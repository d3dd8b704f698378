//! `%%dataset NAME`: import or generate rows.

use luthier_protocol::Response;
use luthier_protocol::spec::DatasetSpec;

use crate::Error;
use crate::datasets;
use crate::service::Context;

pub(crate) fn dataset(context: Context<'_>, spec: DatasetSpec) -> Result<Response, Error> {
    Ok(Response::Dataset(datasets::make(context, &spec)?.info))
}
