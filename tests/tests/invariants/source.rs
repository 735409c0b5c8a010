//! Reading a Rust source as the compiler would see it: without comments and without what is
//! between quotes, so that a word found is a word of the program.

/// `source` with comments and the contents of string and character literals blanked out. Lines stay
/// where they are.
pub(crate) fn code_of(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped_to(&chars, at);
        match end {
            Some(end) => {
                code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
                at = end;
            }
            None => {
                code.push(chars[at]);
                at += 1;
            }
        }
    }
    code
}

/// Where the comment or literal that begins at `at` ends; none if none begins there.
fn skipped_to(chars: &[char], at: usize) -> Option<usize> {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => Some(find(chars, at, |rest| rest[0] == '\n')),
        '/' if next == Some('*') => Some(block_comment(chars, at)),
        '"' => Some(string(chars, at + 1)),
        'r' if !continues_word(chars, at) => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            let quote = at + 1 + hashes;
            (chars.get(quote) == Some(&'"')).then(|| {
                let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                find(chars, quote + 1, |rest| rest.starts_with(&end)).saturating_add(end.len()).min(chars.len())
            })
        }
        // A character, not a lifetime: quoted, or with an escape.
        '\'' if next == Some('\\') => Some(find(chars, at + 3, |rest| rest[0] == '\'') + 1),
        '\'' if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn find(chars: &[char], from: usize, fits: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|at| fits(&chars[*at..])).unwrap_or(chars.len())
}

fn continues_word(chars: &[char], at: usize) -> bool {
    // `br"…"` is a raw string too.
    let before = at.checked_sub(1).map(|at| chars[at]);
    before.is_some_and(|c| (c.is_alphanumeric() || c == '_') && c != 'b')
}

fn block_comment(chars: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (1, at + 2);
    while depth > 0 && at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn string(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// Where `word` occurs as a whole word: the numbers of the lines, from 1.
pub(crate) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |line: &str, at: usize| {
        let before = line[..at].chars().next_back().is_some_and(joins);
        let after = line[at + word.len()..].chars().next().is_some_and(joins);
        !before && (!after || word.ends_with(['!', '(']))
    };
    let lines = code.lines().enumerate();
    lines
        .filter(|(_, line)| line.match_indices(word).any(|(at, _)| whole(line, at)))
        .map(|(number, _)| number + 1)
        .collect()
}

#[test]
fn comments_and_literals_are_not_code() {
    let source = r##"
        // println!("a comment")
        /* unsafe /* nested */ unsafe */ let a = "http://x"; unsafe { b }
        let c: &'static str = r#"unsafe " still"#; let d = '"'; let e = '\''; print!("unsafe");
    "##;
    let code = code_of(source);
    assert_eq!(lines_with(&code, "unsafe"), [3]);
    assert_eq!(lines_with(&code, "print!"), [4]);
    assert!(lines_with(&code, "println!").is_empty());
    assert!(lines_with("eprint!(); my_unsafe", "print!").is_empty());
    assert!(lines_with("my_unsafe unsafely", "unsafe").is_empty());
}
