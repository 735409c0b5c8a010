//! The JSON of OpenAI, as far as the interface needs it: `/v1/chat/completions` and `/v1/embeddings`.

use serde::{Deserialize, Serialize};

use super::bindings::fermyon::spin::llm::{EmbeddingsUsage, InferencingUsage};
use super::{EmbeddingsResult, InferencingParams, InferencingResult};

/// The fields that public hosts send, and no more: many models refuse others, or other values than their own for them.
#[derive(Serialize)]
pub(super) struct Completion<'a> {
    messages: [Message<'a>; 1],
    model: &'a str,
    max_completion_tokens: u32,
    frequency_penalty: f32,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl<'a> Completion<'a> {
    pub(super) fn new(model: &'a str, prompt: &'a str, params: &InferencingParams) -> Self {
        Self {
            messages: [Message { role: "user", content: prompt }],
            model,
            max_completion_tokens: params.max_tokens,
            frequency_penalty: params.repeat_penalty,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Completed {
    choices: Vec<Choice>,
    usage: Usage,
}

#[derive(Deserialize)]
struct Choice {
    message: Answered,
}

#[derive(Deserialize)]
struct Answered {
    /// None if the model refuses.
    content: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Embedded {
    data: Vec<Embedding>,
    usage: Usage,
}

#[derive(Deserialize)]
struct Embedding {
    embedding: Vec<f32>,
    /// Of which text. Servers leave it out that answer in order.
    #[serde(default)]
    index: usize,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u32,
    /// Not of embeddings.
    #[serde(default)]
    completion_tokens: u32,
}

impl From<Completed> for InferencingResult {
    fn from(completed: Completed) -> Self {
        let Usage { prompt_tokens, completion_tokens } = completed.usage;
        let text = completed.choices.into_iter().next().and_then(|choice| choice.message.content);
        Self {
            text: text.unwrap_or_default(),
            usage: InferencingUsage { prompt_token_count: prompt_tokens, generated_token_count: completion_tokens },
        }
    }
}

impl From<Embedded> for EmbeddingsResult {
    fn from(mut embedded: Embedded) -> Self {
        // Of equal ones the order stays, so that nothing is lost without an index.
        embedded.data.sort_by_key(|embedding| embedding.index);
        Self {
            embeddings: embedded.data.into_iter().map(|embedding| embedding.embedding).collect(),
            usage: EmbeddingsUsage { prompt_token_count: embedded.usage.prompt_tokens },
        }
    }
}

/// What a server says went wrong.
pub(super) fn message(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Failed {
        error: Reason,
    }
    #[derive(Deserialize)]
    struct Reason {
        message: String,
    }
    serde_json::from_slice::<Failed>(body).ok().map(|failed| failed.error.message)
}
