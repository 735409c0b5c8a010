//! Getting the index of a catalogue on the web, if it has changed. Manifests come when they are needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use spin_catalogue::layout;

use super::copy::Mark;
use super::error::CatalogueError;
use super::place::WebRoot;
use crate::store::write_durably;
use crate::trust::{self, Trust};
use crate::web::{Web, body};

/// How long an index may take to come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Puts the index of the catalogue at `root`, and its signature if that matters, into the folder `target`. Gives what
/// this version is recognised by, or `None` if it is the one that is `held` already in a folder of its own.
pub(super) async fn fetch(
    root: &WebRoot,
    trust: &Trust,
    web: &Web,
    held: Option<(Mark, PathBuf)>,
    target: &Path,
) -> Result<Option<Mark>, CatalogueError> {
    let signature = match trust.asks() {
        true => web.bytes_if_any(&root.file(&layout::index_signature()), trust::MAX_BYTES, PATIENCE).await?,
        false => None,
    };
    // The same index may have got a new signature, which lasts longer.
    let same_signature = |tree: &Path| {
        !trust.asks() || fs::read(layout::index_signature().below(tree)).ok().as_deref() == signature.as_deref()
    };
    let held = held.filter(|(_, tree)| same_signature(tree));

    let url = root.file(&layout::index());
    let response = web.get(&url, conditions(held.as_ref().map(|(mark, _)| mark)), PATIENCE).await?;
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok(None);
    }
    let header =
        |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mark = Mark { etag: header(ETAG), last_modified: header(LAST_MODIFIED), revision: None };
    let json = body(&url, response, spin_catalogue::index::MAX_BYTES).await?;
    // Not every server has tags.
    if held.is_some_and(|(_, tree)| fs::read(layout::index().below(&tree)).is_ok_and(|old| old == json)) {
        return Ok(None);
    }
    write_durably(target, layout::index().as_str(), &json)?;
    if let Some(signature) = signature {
        write_durably(target, layout::index_signature().as_str(), &signature)?;
    }
    Ok(Some(mark))
}

/// The request for an index other than the one that is held.
fn conditions(mark: Option<&Mark>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name, value: Option<&String>| {
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(name, value);
        }
    };
    if let Some(mark) = mark {
        add(IF_NONE_MATCH, mark.etag.as_ref());
        add(IF_MODIFIED_SINCE, mark.last_modified.as_ref());
    }
    headers
}
