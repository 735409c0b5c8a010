//! `[llm_compute]`: where large language models are.

use spin_app_model::document::{Table, did_you_mean, quoted};
use spin_component_runtime::{LlmApi, LlmCompute};

use super::labelled::{self, Kinds, http_address};

const KINDS: Kinds = Kinds { known: &["spin", "remote_http"], later: &[] };

const APIS: [(&str, LlmApi); 2] = [("default", LlmApi::Spin), ("open_ai", LlmApi::OpenAi)];

/// Reads the table.
pub(super) fn read(table: &Table<'_, '_>) -> Option<LlmCompute> {
    if labelled::kind(table, &KINDS)? == "spin" {
        table.expect_only(&["type"], &[]);
        return Some(LlmCompute::Local);
    }
    table.expect_only(&["type", "url", "auth_token", "api_type"], &[]);
    let (url, auth_token, api) = (http_address(table, "url"), auth_token(table), api(table));
    Some(LlmCompute::RemoteHttp { url: url?, auth_token: auth_token?, api: api? })
}

/// The type, as the file names it.
pub(super) fn kind(compute: &LlmCompute) -> &'static str {
    match compute {
        LlmCompute::RemoteHttp { .. } => "remote_http",
        _ => "spin",
    }
}

fn auth_token(table: &Table<'_, '_>) -> Option<String> {
    if table.get("auth_token").is_none() {
        table.missing("auth_token", "write `auth_token = \"\"` for a server that asks for none");
    }
    let token = table.text("auth_token")?;
    if token.value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Some(token.value);
    }
    table.report.add(token.at, format!("{} holds characters that no token has", table.field_name("auth_token")), None);
    None
}

fn api(table: &Table<'_, '_>) -> Option<LlmApi> {
    if table.get("api_type").is_none() {
        return Some(LlmApi::default());
    }
    let name = table.text("api_type")?;
    let found = APIS.iter().find(|(known, _)| *known == name.value);
    if found.is_none() {
        let near = did_you_mean(&name.value, APIS.map(|(known, _)| known)).map(|near| near + " ").unwrap_or_default();
        let message = format!("{} is not a type of API", quoted(&name.value));
        let help = format!("{near}the types are {}", APIS.map(|(known, _)| known).join(", "));
        table.report.add(name.at, message, Some(help));
    }
    found.map(|(_, api)| *api)
}
