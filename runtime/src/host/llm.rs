//! Large language models, in the two generations of their interface, which are the same but for the name.
//!
//! The operator says where models are ([`LlmCompute`]), the manifest which of them a component may use (`ai_models`). The
//! servers are the operator's, so that `allowed_outbound_hosts` has no say.

mod openai;
mod remote;
mod spin;

use std::collections::BTreeSet;
use std::sync::Arc;

use spin_app_model::ComponentId;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use self::bindings::fermyon::spin::llm::{EmbeddingsResult, Error, InferencingParams, InferencingResult};
use self::remote::Server;
use crate::host::egress::Egress;
use crate::host::http::operator;
use crate::host::{Capability, ComponentContext};
use crate::instance::HostState;

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/fermyon-spin",
        inline: "
            package host:llm;
            world imports {
                import fermyon:spin/llm;
            }
        ",
        world: "host:llm/imports",
    });
}

/// The names that the interface has had.
const INTERFACES: [&str; 2] = ["fermyon:spin/llm", "fermyon:spin/llm@2.0.0"];

/// What public hosts answer that were built without models of their own; guests and tests look for this sentence.
const NO_LOCAL_MODELS: &str = "Local LLM operations are not supported in this version of Spin.";

/// What a guest gets that chooses nothing.
const DEFAULTS: InferencingParams = InferencingParams {
    max_tokens: 100,
    repeat_penalty: 1.1,
    repeat_penalty_last_n_token_count: 64,
    temperature: 0.8,
    top_k: 40,
    top_p: 0.9,
};

/// What the operator chooses about models.
#[derive(Clone, Debug, Default)]
pub struct LlmOptions {
    /// Where models are. Default: nowhere.
    pub compute: LlmCompute,
}

/// Where models are.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum LlmCompute {
    /// In this process, which has none: every call is answered with the interface's `runtime-error`.
    #[default]
    Local,
    /// On a server.
    RemoteHttp {
        /// `http://` or `https://`; the paths of the interface are below it.
        url: String,
        /// What the server knows us by; empty if it doesn't ask.
        auth_token: String,
        /// Which language it speaks.
        api: LlmApi,
    },
}

// The token is a secret, and so may be what stands in the address.
impl std::fmt::Debug for LlmCompute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local => f.write_str("Local"),
            Self::RemoteHttp { url, api, .. } => f
                .debug_struct("RemoteHttp")
                .field("url", &operator::origin(url))
                .field("api", api)
                .finish_non_exhaustive(),
        }
    }
}

/// Languages of servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LlmApi {
    /// That of the public Spin ecosystem: `/infer` and `/embed`.
    #[default]
    Spin,
    /// That of OpenAI, which many servers speak: `/v1/chat/completions` and `/v1/embeddings`.
    OpenAi,
}

/// Where the models of an app are.
pub(crate) struct Models(Option<Server>);

impl Models {
    async fn infer(
        &self,
        model: String,
        prompt: String,
        params: Option<InferencingParams>,
    ) -> Result<InferencingResult, Error> {
        let params = params.unwrap_or(DEFAULTS);
        // There are no such numbers in the languages of servers.
        if ![params.repeat_penalty, params.temperature, params.top_p].iter().all(|number| number.is_finite()) {
            return Err(Error::InvalidInput("a parameter is no finite number".to_owned()));
        }
        self.server()?.infer(model, prompt, params).await
    }

    async fn embed(&self, model: String, texts: Vec<String>) -> Result<EmbeddingsResult, Error> {
        self.server()?.embed(model, texts).await
    }

    fn server(&self) -> Result<&Server, Error> {
        self.0.as_ref().ok_or_else(|| Error::RuntimeError(NO_LOCAL_MODELS.to_owned()))
    }
}

/// The models that one component may use.
pub(crate) struct ComponentModels {
    component: ComponentId,
    allowed: BTreeSet<String>,
    models: Arc<Models>,
}

impl ComponentModels {
    fn allowed(&self, model: &str) -> Result<Arc<Models>, Error> {
        if self.allowed.contains(model) {
            return Ok(Arc::clone(&self.models));
        }
        let component = &self.component;
        Err(Error::InvalidInput(format!(
            "the component may not use the model '{model}'; to allow it, add '{model}' to 'ai_models' in \
             [component.{component}] in spin.toml"
        )))
    }
}

/// What a call gives: what the models answer, if the component may use the one that it names.
fn with_models<R: Send + 'static, C>(
    store: &StoreContextMut<'_, HostState>,
    model: String,
    call: impl FnOnce(Arc<Models>, String) -> C + Send + 'static,
) -> Box<dyn Future<Output = wasmtime::Result<(Result<R, Error>,)>> + Send>
where
    C: Future<Output = Result<R, Error>> + Send,
{
    let models = store.data().component.llm.allowed(&model);
    Box::new(async move {
        Ok((match models {
            Ok(models) => call(models, model).await,
            Err(error) => Err(error),
        },))
    })
}

/// The capability.
pub(crate) struct Llm;

impl Capability for Llm {
    type Options = LlmOptions;
    type App = Models;
    type Component = ComponentModels;
    type Instance = ();

    fn app(options: &LlmOptions, _: &Arc<Egress>) -> Models {
        Models(match &options.compute {
            LlmCompute::Local => None,
            LlmCompute::RemoteHttp { url, auth_token, api } => Some(Server::new(url, auth_token, *api)),
        })
    }

    fn component(app: &Arc<Models>, of: &ComponentContext<'_>) -> ComponentModels {
        ComponentModels {
            component: of.locked.id.clone(),
            allowed: of.locked.metadata_list("ai_models").map(str::to_owned).collect(),
            models: Arc::clone(app),
        }
    }

    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        type Infer = (String, String, Option<InferencingParams>);
        type Embed = (String, Vec<String>);
        for interface in INTERFACES {
            let mut instance = linker.instance(interface)?;
            instance.func_wrap_async("infer", |store, (model, prompt, params): Infer| {
                with_models(
                    &store,
                    model,
                    move |models, model| async move { models.infer(model, prompt, params).await },
                )
            })?;
            instance.func_wrap_async("generate-embeddings", |store, (model, texts): Embed| {
                with_models(&store, model, move |models, model| async move { models.embed(model, texts).await })
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
