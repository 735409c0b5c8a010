//! How the guests that ask for too much are told what and how much. The table is in `tests/guests/README.md`.

/// What is asked for, by the last part of the path, and the number behind `n=` in the query.
pub enum Greed {
    Headers,
    Resources,
    Body,
}

pub fn asked(path_with_query: &str) -> Option<(Greed, usize)> {
    let (path, query) = path_with_query.split_once('?')?;
    let greed = match path.rsplit('/').next()? {
        "many-headers" => Greed::Headers,
        "many-resources" => Greed::Resources,
        "large-body" => Greed::Body,
        _ => return None,
    };
    Some((greed, query.strip_prefix("n=")?.parse().ok()?))
}
