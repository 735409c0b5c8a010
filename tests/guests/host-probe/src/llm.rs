//! `llm` in its two generations, which differ in nothing but the name.

use crate::shown::{Shown, result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:llm;
                 world imports {
                     import fermyon:spin/llm;
                     import fermyon:spin/llm@2.0.0;
                 }",
        path: ["../../../wit/fermyon-spin", "../../../wit/fermyon-spin-2.0.0"],
        generate_all,
    });
}

/// A text or vectors, with how many tokens were read and written.
struct Answered(String);

impl Shown for Answered {
    fn shown(&self) -> String {
        self.0.clone()
    }
}

macro_rules! generation {
    ($name:ident, $($module:ident)::+) => {
        pub fn $name(calls: &[Vec<&str>]) -> Vec<String> {
            use $($module)::+::{InferencingParams, generate_embeddings, infer};
            let inferred = |model: &str, prompt: &str, params| {
                result(infer(model, prompt, params).map(|inferred| {
                    let usage = inferred.usage;
                    let counts = format!("{}, {}", usage.prompt_token_count, usage.generated_token_count);
                    Answered(format!("{:?}, {counts}", inferred.text))
                }))
            };
            let call = |call: &[&str]| match call {
                ["infer", model, prompt] => inferred(model, prompt, None),
                ["infer", model, prompt, most, temperature] => {
                    let params = InferencingParams {
                        max_tokens: most.parse().expect("a count"),
                        repeat_penalty: 1.5,
                        repeat_penalty_last_n_token_count: 16,
                        temperature: temperature.parse().expect("a number"),
                        top_k: 10,
                        top_p: 0.5,
                    };
                    inferred(model, prompt, Some(params))
                }
                ["embed", model, texts @ ..] => {
                    let texts: Vec<String> = texts.iter().map(|text| text.to_string()).collect();
                    result(generate_embeddings(model, &texts).map(|embedded| {
                        Answered(format!("{:?}, {}", embedded.embeddings, embedded.usage.prompt_token_count))
                    }))
                }
                other => unknown(other),
            };
            calls.iter().map(|words| call(words)).collect()
        }
    };
}

generation!(generation1, bindings::fermyon::spin::llm);
generation!(generation2, bindings::fermyon::spin2_0_0::llm);
