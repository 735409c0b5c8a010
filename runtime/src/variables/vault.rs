//! Values in a HashiCorp Vault: the current version of secrets in a key-value engine of version 2, read over its HTTP API.
//!
//! A variable is the field `value` of the secret `[PREFIX/]NAME`. The operator names the server, so that no component's
//! `allowed_outbound_hosts` has a say.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use url::Url;

use super::VariableError;
use crate::host::http::operator::{OperatorClient, Patience};

/// How long a server may take. Nothing starts before it has answered for every variable.
const PATIENCE: Patience = Patience { connect: Duration::from_secs(5), answer: Duration::from_secs(10) };

/// The longest answer, in bytes; a server has a limit of this size for its own secrets.
const LONGEST_ANSWER: usize = 1 << 20;

/// A server, and where in it the values are.
pub struct Vault {
    /// The folder of the secrets, with the slash that ends it.
    folder: Url,
    token: HeaderValue,
    client: OperatorClient,
}

/// What a server can't be asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The address isn't one.
    #[error("is no URL of a server, such as https://vault.example:8200")]
    Url,
    /// The token isn't one.
    #[error("holds characters that no token has")]
    Token,
}

#[derive(Deserialize)]
struct Answer {
    data: Secret,
}

#[derive(Deserialize)]
struct Secret {
    data: Fields,
}

#[derive(Deserialize)]
struct Fields {
    value: Option<String>,
}

impl Vault {
    /// The secrets of the engine that is mounted at `mount`, below `prefix` if there is one, of the server at `url`, to be
    /// read with `token`. Connects to nobody yet.
    ///
    /// # Errors
    /// For a URL that is not of a server, and for a token that can't be sent.
    pub fn new(url: &str, token: &str, mount: &str, prefix: Option<&str>) -> Result<Self, VaultError> {
        let mut folder: Url = url.parse().map_err(|_| VaultError::Url)?;
        if !matches!(folder.scheme(), "http" | "https") || !folder.username().is_empty() || folder.password().is_some()
        {
            return Err(VaultError::Url);
        }
        folder.set_query(None);
        folder.set_fragment(None);
        let parts = |text: &str| text.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        folder
            .path_segments_mut()
            .map_err(|()| VaultError::Url)?
            .pop_if_empty()
            .push("v1")
            .extend(parts(mount))
            .push("data")
            .extend(parts(prefix.unwrap_or_default()))
            .push("");
        let mut token = HeaderValue::from_str(token).map_err(|_| VaultError::Token)?;
        token.set_sensitive(true);
        Ok(Self { folder, token, client: OperatorClient::default() })
    }

    /// The value of a variable, if there is such a secret.
    pub(super) async fn get(&self, variable: &str) -> Result<Option<String>, VariableError> {
        let mut url = self.folder.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push(variable);
        }
        let failed =
            |reason: String| VariableError::Vault { variable: variable.to_owned(), url: url.to_string(), reason };
        self.ask(&url).await.map_err(failed)
    }

    async fn ask(&self, url: &Url) -> Result<Option<String>, String> {
        let request = http::Request::get(url.as_str()).header("x-vault-token", self.token.clone());
        let request = request.body(Bytes::new()).map_err(|error| error.to_string())?;
        let answer = self.client.send(request, PATIENCE, LONGEST_ANSWER).await.map_err(|error| error.to_string())?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::FORBIDDEN => return Err("the server refuses the token (403)".to_owned()),
            status => return Err(format!("the server answers with {}", status.as_u16())),
        }
        // What the message of a parser quotes may be the secret.
        let answer: Answer = serde_json::from_slice(&answer.body)
            .map_err(|_| "the answer is not that of a key-value engine of version 2".to_owned())?;
        answer.data.data.value.map(Some).ok_or_else(|| "the secret has no field \"value\"".to_owned())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("folder", &self.folder.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    const TOKEN: &str = "hvs.s3cret";

    /// A server of one mount, `kv/app`, which answers what the last part of the path says.
    async fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let (mut path, mut token) = (String::new(), String::new());
                    loop {
                        let mut line = String::new();
                        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                            return;
                        }
                        if let Some(target) = line.strip_prefix("GET ") {
                            path = target.split(' ').next().unwrap_or_default().to_owned();
                        } else if let Some(value) = line.strip_prefix("x-vault-token: ") {
                            token = value.trim_end().to_owned();
                        } else if line == "\r\n" {
                            let (status, body) = match path.as_str() {
                                _ if token != TOKEN => (403, ""),
                                "/v1/kv/app/data/shop/key" | "/base/v1/kv/data/key" => {
                                    (200, r#"{"data":{"data":{"value":"from the vault","other":1}}}"#)
                                }
                                "/v1/kv/app/data/shop/bare" => (200, r#"{"data":{"data":{"secret":"s3cret"}}}"#),
                                "/v1/kv/app/data/shop/odd" => (200, r#"{"data":"s3cret"}"#),
                                "/v1/kv/app/data/shop/sealed" => (503, r#"{"errors":["Vault is sealed"]}"#),
                                _ => (404, r#"{"errors":[]}"#),
                            };
                            let answer = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                            if stream.write_all(answer.as_bytes()).await.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_secret_is_a_value_and_its_lack_is_no_error() {
        let url = server().await;
        let vault = Vault::new(&url, TOKEN, "kv/app", Some("shop/")).expect("a server");
        assert_eq!(vault.get("key").await.expect("an answer").as_deref(), Some("from the vault"));
        assert_eq!(vault.get("none").await.expect("an answer"), None);
        let vault = Vault::new(&format!("{url}/base/"), TOKEN, "/kv/", None).expect("a server");
        assert_eq!(vault.get("key").await.expect("an answer").as_deref(), Some("from the vault"));
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_with_the_place_and_without_secrets() {
        let url = server().await;
        let vault = Vault::new(&url, TOKEN, "kv/app", Some("shop")).expect("a server");
        let stranger = Vault::new(&url, "s3cret", "kv/app", Some("shop")).expect("a server");
        let nowhere = Vault::new("http://127.0.0.1:1", TOKEN, "kv/app", Some("shop")).expect("a server");
        for (vault, name, said) in [
            (&vault, "bare", "no field \"value\""),
            (&vault, "odd", "not that of a key-value engine"),
            (&vault, "sealed", "answers with 503"),
            (&stranger, "key", "refuses the token"),
            (&nowhere, "key", "http://127.0.0.1:1/v1/kv/app/data/shop/key"),
        ] {
            let error = vault.get(name).await.expect_err("it is wrong").to_string();
            assert!(error.contains(said) && error.contains(&format!("/shop/{name}")), "{error}");
            assert!(!format!("{error} {vault:?}").contains("s3cret"), "{error} {vault:?}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        let error = |url: &str, token: &str| Vault::new(url, token, "kv", None).map(drop);
        for url in ["", "vault:8200", "ftp://vault", "https://user:s3cret@vault", "https://"] {
            assert_eq!(error(url, TOKEN), Err(VaultError::Url), "{url}");
        }
        assert_eq!(error("https://vault", "a\nb"), Err(VaultError::Token));
    }
}
