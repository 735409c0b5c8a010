//! The JSON of the public Spin ecosystem: `/infer` and `/embed`.

use serde::{Deserialize, Serialize};

use super::bindings::fermyon::spin::llm::{EmbeddingsUsage, InferencingUsage};
use super::{EmbeddingsResult, InferencingParams, InferencingResult};

#[derive(Serialize)]
pub(super) struct Infer<'a> {
    model: &'a str,
    prompt: &'a str,
    options: Options,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    max_tokens: u32,
    repeat_penalty: f32,
    repeat_penalty_last_n_token_count: u32,
    temperature: f32,
    top_k: u32,
    top_p: f32,
}

impl<'a> Infer<'a> {
    pub(super) fn new(model: &'a str, prompt: &'a str, params: &InferencingParams) -> Self {
        let options = Options {
            max_tokens: params.max_tokens,
            repeat_penalty: params.repeat_penalty,
            repeat_penalty_last_n_token_count: params.repeat_penalty_last_n_token_count,
            temperature: params.temperature,
            top_k: params.top_k,
            top_p: params.top_p,
        };
        Self { model, prompt, options }
    }
}

#[derive(Deserialize)]
pub(super) struct Inferred {
    text: String,
    usage: Usage,
}

#[derive(Deserialize)]
pub(super) struct Embedded {
    embeddings: Vec<Vec<f32>>,
    usage: Usage,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    prompt_token_count: u32,
    /// Not of embeddings.
    #[serde(default)]
    generated_token_count: u32,
}

impl From<Inferred> for InferencingResult {
    fn from(inferred: Inferred) -> Self {
        let Usage { prompt_token_count, generated_token_count } = inferred.usage;
        Self { text: inferred.text, usage: InferencingUsage { prompt_token_count, generated_token_count } }
    }
}

impl From<Embedded> for EmbeddingsResult {
    fn from(embedded: Embedded) -> Self {
        let prompt_token_count = embedded.usage.prompt_token_count;
        Self { embeddings: embedded.embeddings, usage: EmbeddingsUsage { prompt_token_count } }
    }
}
