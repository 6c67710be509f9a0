//! A channel with TLS, a client certificate, and an API key, as the environment defines them.

use std::error::Error;
use std::net::IpAddr;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::{InterceptedService, Interceptor};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};
use tonic::{Request, Status};

/// A channel that sends the API key.
pub type Service = InterceptedService<Channel, ApiKey>;

/// Sends an API key with all calls, if there is one.
#[derive(Clone)]
pub struct ApiKey(Option<MetadataValue<Ascii>>);

impl Interceptor for ApiKey {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// Connects to `http://host:port` or `https://host:port`.
///
/// # Errors
/// The URL or the key is invalid, a file cannot be used, the server cannot be reached, or the key would be sent without TLS to
/// another machine; in this case, nothing is sent.
pub async fn connect(url: &str) -> Result<Service, Box<dyn Error>> {
    let uri: Uri = url.parse()?;
    let secure = uri.scheme_str() == Some("https");
    let key = api_key(uri.host().unwrap_or_default(), secure)?;
    let mut endpoint = Endpoint::from(uri);
    if secure {
        endpoint = endpoint.tls_config(tls()?)?;
    }
    Ok(InterceptedService::new(endpoint.connect().await?, key))
}

fn tls() -> Result<ClientTlsConfig, Box<dyn Error>> {
    let config = match variable("EMBEDDINGS_CA") {
        Some(file) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&file)?)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    let Some(certificate) = variable("EMBEDDINGS_CLIENT_CERT") else {
        return Ok(config);
    };
    // One file can contain both.
    let key = variable("EMBEDDINGS_CLIENT_KEY").unwrap_or_else(|| certificate.clone());
    Ok(config.identity(Identity::from_pem(read(&certificate)?, read(&key)?)))
}

fn api_key(host: &str, secure: bool) -> Result<ApiKey, Box<dyn Error>> {
    let Some(key) = variable("EMBEDDINGS_API_KEY") else {
        return Ok(ApiKey(None));
    };
    if !secure && !is_loopback(host) {
        return Err(format!(
            "EMBEDDINGS_API_KEY requires an https:// URL, because a key without TLS can be read in transit, except to this machine \
             (localhost, 127.0.0.1, ::1); got '{host}' without TLS."
        )
        .into());
    }
    if !key.bytes().all(|letter| letter.is_ascii_graphic()) {
        return Err("EMBEDDINGS_API_KEY must consist of printable ASCII characters, without spaces.".into());
    }
    let mut value: MetadataValue<Ascii> = format!("Bearer {key}").parse()?;
    value.set_sensitive(true);
    Ok(ApiKey(Some(value)))
}

/// Returns whether a host is localhost, in 127.0.0.0/8, or ::1. Other names are not resolved.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn read(file: &str) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("'{file}' cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn names_of_this_machine() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "localhost.example.com", "127.0.0.1.example.com", "127.1", "0.0.0.0", "[::2]"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
