//! Models on a server: one request over HTTP for each call, in one of two languages.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{EmbeddingsResult, Error, InferencingParams, InferencingResult, LlmApi, openai, spin};
use crate::host::http::operator::{JsonServer, Patience, not_understood};
use crate::host::rows::MOST_BUFFERED;

/// How long a server may take. Models are slow; what the event may take is less, by default.
const PATIENCE: Patience = Patience { connect: Duration::from_secs(10), answer: Duration::from_secs(600) };

/// A server, and its language.
pub(super) struct Server {
    server: JsonServer,
    api: LlmApi,
}

impl Server {
    /// Connects to nobody yet.
    pub(super) fn new(url: &str, auth_token: &str, api: LlmApi) -> Self {
        Self { server: JsonServer::new(url, "bearer", auth_token, Arc::default()), api }
    }

    pub(super) async fn infer(
        &self,
        model: String,
        prompt: String,
        params: InferencingParams,
    ) -> Result<InferencingResult, Error> {
        match self.api {
            LlmApi::Spin => {
                let request = spin::Infer::new(&model, &prompt, &params);
                self.ask::<_, spin::Inferred>("/infer", &request).await.map(Into::into)
            }
            LlmApi::OpenAi => {
                let request = openai::Completion::new(&model, &prompt, &params);
                self.ask::<_, openai::Completed>("/v1/chat/completions", &request).await.map(Into::into)
            }
        }
    }

    pub(super) async fn embed(&self, model: String, texts: Vec<String>) -> Result<EmbeddingsResult, Error> {
        let count = texts.len();
        let request = Embed { model: &model, input: &texts };
        let result: EmbeddingsResult = match self.api {
            LlmApi::Spin => self.ask::<_, spin::Embedded>("/embed", &request).await?.into(),
            LlmApi::OpenAi => self.ask::<_, openai::Embedded>("/v1/embeddings", &request).await?.into(),
        };
        match result.embeddings.len() {
            found if found == count => Ok(result),
            found => Err(self.failed(&format_args!("the server answers with {found} embeddings for {count} texts"))),
        }
    }

    async fn ask<Q: Serialize, A: DeserializeOwned>(&self, path: &str, question: &Q) -> Result<A, Error> {
        let url = format!("{}{path}", self.server.url());
        let answer = self.server.ask(&url, question, PATIENCE, MOST_BUFFERED).await;
        let answer = answer.map_err(|error| self.failed(&error))?;
        if !answer.status.is_success() {
            let status = answer.status.as_u16();
            // What is said about a token may repeat it.
            let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status);
            return Err(match self.message(&answer.body).filter(|_| !refused) {
                Some(message) => self.failed(&format_args!("the server answers with status {status}: {message}")),
                None => self.failed(&format_args!("the server answers with status {status}")),
            });
        }
        serde_json::from_slice(&answer.body).map_err(|error| match self.message(&answer.body) {
            Some(message) => self.failed(&message),
            None => self.failed(&not_understood(&error)),
        })
    }

    /// What the server says went wrong.
    fn message(&self, body: &[u8]) -> Option<String> {
        openai::message(body).map(|message| self.server.said(message))
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> Error {
        Error::RuntimeError(self.server.failed(reason))
    }
}

/// What both languages have for texts that become vectors.
#[derive(Serialize)]
struct Embed<'a> {
    model: &'a str,
    input: &'a [String],
}
