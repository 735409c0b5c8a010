//! Making output comparable from run to run: paths, ports and the like become names in brackets.

/// What to replace by what, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redactions {
    texts: Vec<(String, String)>,
}

impl Redactions {
    pub(crate) fn add(&mut self, text: impl Into<String>, name: &str) {
        let text = text.into();
        if !text.is_empty() {
            self.texts.push((text, format!("[{name}]")));
        }
    }

    /// `text` with every known path and every port of this machine replaced.
    pub(crate) fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.texts {
            text = text.replace(from, to);
        }
        for host in ["127.0.0.1:", "0.0.0.0:", "[::1]:", "[::]:", "localhost:"] {
            text = without_ports(&text, host);
        }
        text
    }
}

/// Replaces the digits behind each `host`.
fn without_ports(text: &str, host: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(host) {
        let (before, after) = rest.split_at(at + host.len());
        let behind = after.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str(before);
        out.push_str(if behind.len() < after.len() { "[PORT]" } else { "" });
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_ports_get_names() {
        let mut redactions = Redactions::default();
        redactions.add("/tmp/world-1", "WORLD");
        let text = "in /tmp/world-1/app: http://127.0.0.1:43211/a, [::1]:80 and localhost: later";
        let expected = "in [WORLD]/app: http://127.0.0.1:[PORT]/a, [::1]:[PORT] and localhost: later";
        assert_eq!(redactions.apply(text), expected);
    }
}
