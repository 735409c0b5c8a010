//! What the trigger tells when it starts to listen: its address and the routes, as text or as JSON.
//!
//! It makes the text; printing it is the caller's business.

use serde::Serialize;

use crate::route::Route;

/// How the listing is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Plain,
    /// For programs.
    Json,
}

/// A line of the listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedRoute {
    /// The component, or the trigger of a static response.
    pub id: String,
    /// The route without its wildcard: `/` for the root.
    pub route: String,
    /// Whether everything below it is meant too.
    pub wildcard: bool,
    /// The component's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Serialize)]
struct Listing<'a> {
    base_url: &'a str,
    routes: &'a [ListedRoute],
}

impl ListedRoute {
    /// The line of a route.
    pub fn new(id: &str, route: &Route, description: Option<&str>) -> Self {
        let path = route.prefix();
        ListedRoute {
            id: id.to_owned(),
            route: if path.is_empty() { "/" } else { path }.to_owned(),
            wildcard: route.is_wildcard(),
            description: description.filter(|text| !text.is_empty()).map(str::to_owned),
        }
    }
}

/// The listing, with a newline at its end. `base_url` is the first address, the one that routes are told with; it has no
/// slash at its end, nor have the `others`. `routes` come in the order of their rank.
pub fn render(format: Format, base_url: &str, others: &[String], routes: &[ListedRoute]) -> String {
    match format {
        Format::Plain => plain(base_url, others, routes),
        Format::Json => {
            let listing = Listing { base_url, routes };
            let json = serde_json::to_string_pretty(&listing).expect("structs of strings are always valid JSON");
            json + "\n"
        }
    }
}

fn plain(base_url: &str, others: &[String], routes: &[ListedRoute]) -> String {
    let mut text = format!("\nServing {base_url}\n");
    for other in others {
        text.push_str(&format!("Serving {other}\n"));
    }
    text.push_str("Available Routes:\n");
    for ListedRoute { id, route, wildcard, description } in routes {
        let (path, note) = match wildcard {
            true => (route.trim_end_matches('/'), " (wildcard)"),
            false => (route.as_str(), ""),
        };
        text.push_str(&format!("  {id}: {base_url}{path}{note}\n"));
        if let Some(description) = description {
            text.push_str(&format!("    {description}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::RouteConfig;
    use crate::route::{RouteEntry, Router};

    fn routes() -> Vec<ListedRoute> {
        let entries = [("all", "/..."), ("users", "users/:id/"), ("files", "/files/..."), ("home", "/")]
            .map(|(id, route)| (id, RouteConfig::Path(route.to_owned())));
        let (router, _) = Router::build(entries.iter().map(|(id, route)| RouteEntry { id, route })).unwrap();
        let describe = |id: &str| (id == "users").then_some("Everybody");
        let listed = router.routes().map(|route| (entries[route.entry()].0, route));
        listed.map(|(id, route)| ListedRoute::new(id, route, describe(id))).collect()
    }

    #[test]
    fn plain_text() {
        let expected = "
Serving http://127.0.0.1:3000
Available Routes:
  home: http://127.0.0.1:3000/
  users: http://127.0.0.1:3000/users/:id
    Everybody
  files: http://127.0.0.1:3000/files (wildcard)
  all: http://127.0.0.1:3000 (wildcard)
";
        assert_eq!(render(Format::Plain, "http://127.0.0.1:3000", &[], &routes()), expected);
        let two = render(Format::Plain, "http://h", &["http://i".to_owned()], &[]);
        assert_eq!(two, "\nServing http://h\nServing http://i\nAvailable Routes:\n");
    }

    #[test]
    fn json() {
        let expected = r#"{
  "base_url": "http://127.0.0.1:3000",
  "routes": [
    {
      "id": "users",
      "route": "/users/:id",
      "wildcard": false,
      "description": "Everybody"
    },
    {
      "id": "all",
      "route": "/",
      "wildcard": true
    }
  ]
}
"#;
        let two: Vec<ListedRoute> =
            routes().into_iter().filter(|route| route.id == "users" || route.id == "all").collect();
        assert_eq!(render(Format::Json, "http://127.0.0.1:3000", &["http://[::1]:3000".to_owned()], &two), expected);
    }
}
