//! One GET, with limits.

use std::time::Duration;

use crate::Error;

const TIMEOUT: Duration = Duration::from_secs(60);

/// What came back with status 200, or 401 with its challenge.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) bytes: Vec<u8>,
    /// `WWW-Authenticate`.
    pub(super) challenge: Option<String>,
}

/// Fetches `address`; at most [`super::super::MAX_COMPONENT_BYTES`] are read.
pub(super) fn get(address: &str, headers: &[(&str, &str)]) -> Result<Answer, Error> {
    let answer = ask(address, headers)?;
    match answer.status {
        200 => Ok(answer),
        status => Err(Error::Fetch { address: address.to_owned(), finding: format!("the server says {status}") }),
    }
}

/// The same; a status that is not 200 is for the caller.
pub(super) fn ask(address: &str, headers: &[(&str, &str)]) -> Result<Answer, Error> {
    let failed = |finding: String| Error::Fetch { address: address.to_owned(), finding };
    let config =
        ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false).max_redirects(5);
    let agent: ureq::Agent = config.build().into();
    let request = headers.iter().fold(agent.get(address), |request, (name, value)| request.header(*name, *value));
    let mut response = request.call().map_err(|error| failed(error.to_string()))?;
    let challenge = response.headers().get("www-authenticate");
    let challenge = challenge.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(super::super::MAX_COMPONENT_BYTES).read_to_vec();
    Ok(Answer { status, bytes: body.map_err(|error| failed(error.to_string()))?, challenge })
}
