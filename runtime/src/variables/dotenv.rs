//! Files in the form of a `.env`: `NAME=value`, with quotes, comments, `export` and `$OTHER`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The values of a file; of a name that is there twice, the later one.
///
/// A line that can't be read is warned of and left out: such files have many dialects, and often other readers. The
/// warning doesn't show the line, which may hold a secret.
///
/// # Errors
/// When the file can't be read, or isn't text.
pub(super) fn read(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path)?;
    let (values, bad) = parse(&text);
    for line in bad {
        tracing::warn!("{}:{line}: this is not NAME=VALUE and is ignored", path.display());
    }
    Ok(values)
}

/// The values, and the numbers of the lines that can't be read.
fn parse(text: &str) -> (BTreeMap<String, String>, Vec<usize>) {
    // The parser takes blanks at the very end for the beginning of something.
    let text = format!("{}\n", text.trim_start_matches('\u{feff}'));
    let mut values = BTreeMap::new();
    let mut bad = Vec::new();
    let mut from = 0;
    for entry in dotenvy::from_read_iter(text.as_bytes()) {
        match entry {
            Ok((name, value)) => drop(values.insert(name, value)),
            Err(dotenvy::Error::LineParse(line, _)) => {
                // The parser knows the text of the line and not its number.
                let at = text[from..].find(&line).map_or(from, |found| from + found);
                bad.push(text[..at].matches('\n').count() + 1);
                from = at + line.len();
            }
            // There are only bytes in memory, so nothing else can fail.
            Err(_) => {}
        }
    }
    (values, bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_comments_and_export() {
        let text = "\u{feff}# a comment\nPLAIN=one # behind\nexport SINGLE='two $PLAIN'\nDOUBLE=\"three\\n${PLAIN}\"\n\n\
                    EQUALS=a=b\nEMPTY=\nPLAIN=again\nLAST=end  ";
        let (values, bad) = parse(text);
        let expected = [
            ("DOUBLE", "three\none"),
            ("EMPTY", ""),
            ("EQUALS", "a=b"),
            ("LAST", "end"),
            ("PLAIN", "again"),
            ("SINGLE", "two $PLAIN"),
        ];
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(values, expected);
        assert!(bad.is_empty(), "{bad:?}");
    }

    #[test]
    fn a_line_that_is_none_is_numbered_and_the_others_count() {
        let (values, bad) = parse("A=1\n- not this -\nB=2\n- not this -\nC='never closed\nD=4\n");
        assert_eq!(bad, [2, 4, 5]);
        assert_eq!(values.keys().collect::<Vec<_>>(), ["A", "B"]);
    }
}
