//! What is sent to a server for a call, and what becomes of its answer. The server is one of the test's own.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// A server that gives one answer, and the requests that came: line, authorization, body.
async fn server(status: u16, answer: Value) -> (String, mpsc::UnboundedReceiver<(String, String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/base/", listener.local_addr().expect("bound"));
    let (sender, requests) = mpsc::unbounded_channel();
    let answer = answer.to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let (mut first, mut authorization, mut length) = (String::new(), String::new(), 0);
            let _ = stream.read_line(&mut first).await;
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.unwrap_or(0) <= 2 {
                    break;
                }
                let (name, value) = line.trim_end().split_once(": ").expect("a header");
                match name {
                    "authorization" => authorization = value.to_owned(),
                    "content-length" => length = value.parse().expect("a length"),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            let _ = stream.read_exact(&mut body).await;
            let body = serde_json::from_slice(&body).expect("JSON");
            let _ = sender.send((first.trim_end().to_owned(), authorization, body));
            let head = format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
            let _ = stream.write_all(format!("{head}{answer}").as_bytes()).await;
        }
    });
    (url, requests)
}

fn models(url: &str, api: LlmApi) -> Models {
    Models(Some(Server::new(url, "s3cret", api)))
}

fn shown(error: Error) -> String {
    match error {
        Error::ModelNotSupported => "model-not-supported".to_owned(),
        Error::RuntimeError(reason) => format!("runtime-error: {reason}"),
        Error::InvalidInput(reason) => format!("invalid-input: {reason}"),
    }
}

async fn infer(models: &Models, params: Option<InferencingParams>) -> Result<(String, u32, u32), String> {
    let result = models.infer("llama2".to_owned(), "Say \"hi\"".to_owned(), params).await.map_err(shown)?;
    Ok((result.text, result.usage.prompt_token_count, result.usage.generated_token_count))
}

async fn embed(models: &Models) -> Result<(Vec<Vec<f32>>, u32), String> {
    let texts = vec!["a".to_owned(), "b".to_owned()];
    let result = models.embed("minilm".to_owned(), texts).await.map_err(shown)?;
    Ok((result.embeddings, result.usage.prompt_token_count))
}

#[tokio::test]
async fn a_server_of_the_ecosystem_gets_all_parameters() {
    let (url, mut requests) =
        server(200, json!({"text": "hi", "usage": {"promptTokenCount": 3, "generatedTokenCount": 1}})).await;
    assert_eq!(infer(&models(&url, LlmApi::Spin), None).await, Ok(("hi".to_owned(), 3, 1)));
    let (line, authorization, body) = requests.recv().await.expect("a request");
    assert_eq!((line.as_str(), authorization.as_str()), ("POST /base/infer HTTP/1.1", "bearer s3cret"));
    assert_eq!((&body["model"], &body["prompt"]), (&json!("llama2"), &json!("Say \"hi\"")));
    let options = body["options"].as_object().expect("options");
    let mut names: Vec<&str> = options.keys().map(String::as_str).collect();
    names.sort_unstable();
    let known = ["maxTokens", "repeatPenalty", "repeatPenaltyLastNTokenCount", "temperature", "topK", "topP"];
    assert_eq!(names, known);
    assert_eq!((&options["maxTokens"], &options["topK"]), (&json!(100), &json!(40)), "the defaults");

    let (url, mut requests) =
        server(200, json!({"embeddings": [[0.5, 1], [2]], "usage": {"promptTokenCount": 2}})).await;
    assert_eq!(embed(&models(&url, LlmApi::Spin)).await, Ok((vec![vec![0.5, 1.0], vec![2.0]], 2)));
    let (line, _, body) = requests.recv().await.expect("a request");
    assert_eq!(line, "POST /base/embed HTTP/1.1");
    assert_eq!(body, json!({"model": "minilm", "input": ["a", "b"]}));
}

#[tokio::test]
async fn a_server_of_open_ai_gets_a_chat() {
    let answer = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}});
    let (url, mut requests) = server(200, answer).await;
    let params = InferencingParams { max_tokens: 7, repeat_penalty: 0.5, ..DEFAULTS };
    assert_eq!(infer(&models(&url, LlmApi::OpenAi), Some(params)).await, Ok(("hi".to_owned(), 3, 1)));
    let (line, authorization, body) = requests.recv().await.expect("a request");
    let expected = ("POST /base/v1/chat/completions HTTP/1.1", "bearer s3cret");
    assert_eq!((line.as_str(), authorization.as_str()), expected);
    assert_eq!(
        body,
        json!({"model": "llama2", "messages": [{"role": "user", "content": "Say \"hi\""}],
            "max_completion_tokens": 7, "frequency_penalty": 0.5})
    );

    let data = json!([{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [0.5]}]);
    let (url, mut requests) = server(200, json!({"data": data, "usage": {"prompt_tokens": 2}})).await;
    assert_eq!(embed(&models(&url, LlmApi::OpenAi)).await, Ok((vec![vec![0.5], vec![2.0]], 2)), "by their index");
    assert_eq!(requests.recv().await.expect("a request").0, "POST /base/v1/embeddings HTTP/1.1");
}

#[tokio::test]
async fn what_goes_wrong_is_told_in_the_words_of_the_server_and_without_the_token() {
    for (status, answer, said) in [
        (404, json!({"error": {"message": "no such model"}}), "status 404: no such model"),
        (200, json!({"error": {"message": "no such model"}}), "no such model"),
        (503, json!("sorry"), "the server answers with status 503"),
        (200, json!({"text": 1}), "not one of the protocol (line 1, column"),
        (401, json!({"error": {"message": "not bearer s3cret"}}), "answers with status 401"),
        (403, json!({"error": {"message": "s3c is the beginning of it"}}), "answers with status 403"),
        (400, json!({"error": {"message": "bearer s3cret has no credit"}}), "status 400: bearer … has no credit"),
        (400, json!({"error": {"message": "é".repeat(1 << 20)}}), "éé"),
    ] {
        let (url, _requests) = server(status, answer).await;
        for api in [LlmApi::Spin, LlmApi::OpenAi] {
            let error = infer(&models(&url, api), None).await.expect_err("it is wrong");
            assert!(error.starts_with("runtime-error: http://127.0.0.1:") && error.contains(said), "{error}");
            assert!(!error.contains("s3c") && error.len() < 1200, "{error}");
        }
    }
    let (url, _requests) = server(200, json!({"embeddings": [[1]], "usage": {"promptTokenCount": 2}})).await;
    let error = embed(&models(&url, LlmApi::Spin)).await.expect_err("one is missing");
    assert!(error.contains("1 embeddings for 2 texts"), "{error}");
    let error = infer(&models("http://127.0.0.1:1", LlmApi::Spin), None).await.expect_err("nobody is there");
    assert!(error.starts_with("runtime-error: http://127.0.0.1:1: "), "{error}");
}

#[tokio::test]
async fn without_a_server_there_are_no_models() {
    let sentence = "runtime-error: Local LLM operations are not supported in this version of Spin.";
    assert_eq!(infer(&Models(None), None).await, Err(sentence.to_owned()));
    assert_eq!(embed(&Models(None)).await, Err(sentence.to_owned()));
    let params = InferencingParams { temperature: f32::NAN, ..DEFAULTS };
    let error = infer(&models("http://127.0.0.1:1", LlmApi::Spin), Some(params)).await;
    assert_eq!(error, Err("invalid-input: a parameter is no finite number".to_owned()));
}

#[test]
fn a_component_uses_the_models_of_its_manifest() {
    let component = ComponentModels {
        component: "one".parse().expect("an id"),
        allowed: BTreeSet::from(["a".to_owned()]),
        models: Arc::new(Models(None)),
    };
    assert!(component.allowed("a").is_ok());
    let error = component.allowed("A").map(drop).map_err(shown).expect_err("another name");
    assert!(error.contains("add 'A' to 'ai_models' in [component.one] in spin.toml"), "{error}");
}

#[test]
fn the_token_is_not_shown() {
    let compute = LlmCompute::RemoteHttp {
        url: "http://a:s3cret@a".to_owned(),
        auth_token: "s3cret".to_owned(),
        api: LlmApi::Spin,
    };
    assert!(!format!("{compute:?}").contains("s3cret"));
}
