//! `device`: what the engine runs on.

use luthier_protocol::Response;
use luthier_protocol::response::DeviceInfo;

use crate::Error;
use crate::os;
use crate::service::Context;

pub(crate) fn describe(context: Context<'_>) -> Result<Response, Error> {
    let engine = context.engine;
    Ok(Response::Device(DeviceInfo {
        device: "cpu".to_owned(),
        name: os::processor_name(),
        threads: engine.config().threads,
        memory_bytes: os::memory_bytes(),
        resident_bytes: os::resident_bytes(),
        engine: engine.build().to_owned(),
        pid: std::process::id(),
        loaded: engine.loaded.list().iter().map(|model| model.place.name.clone()).collect(),
    }))
}
