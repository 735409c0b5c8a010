//! What a user may do, found out before it is needed.
//!
//! A server checks permissions when a command is put into a transaction, so that one that is discarded tells them without
//! doing anything.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, RedisResult, Value};

use crate::delivery::answer;
use crate::server::{ConnectFailure, Ended, is_permission};

/// A command as it will be sent, with the keys that it is about.
pub struct Needed {
    name: &'static str,
    keys: Vec<String>,
    command: Cmd,
}

impl Needed {
    /// A command whose keys come first, and then these `arguments`.
    pub fn new(name: &'static str, keys: &[&str], arguments: &[&str]) -> Self {
        Self::with_prefix(name, &[], keys, arguments)
    }

    /// The same for a command with words before the keys, such as the name of a subcommand.
    pub fn with_prefix(name: &'static str, before: &[&str], keys: &[&str], arguments: &[&str]) -> Self {
        let mut command = redis::cmd(name);
        for word in before.iter().chain(keys).chain(arguments) {
            command.arg(word);
        }
        Self { name, keys: keys.iter().map(|&key| key.to_owned()).collect(), command }
    }

    /// What the user may not do, for people.
    fn refusal(&self, error: &RedisError) -> String {
        let keys: Vec<String> = self.keys.iter().map(|key| format!("{key:?}")).collect();
        let on = if keys.is_empty() { String::new() } else { format!(" on {}", keys.join(" and ")) };
        format!("the user may not run {}{on} ({error})", self.name)
    }
}

/// Finds out whether all of `needed` is permitted. Nobody else may use the connection meanwhile.
///
/// # Errors
/// Names the first command that isn't, and its keys.
pub async fn check(connection: &mut MultiplexedConnection, needed: &[Needed]) -> Result<(), ConnectFailure> {
    let transaction = ["MULTI", "EXEC", "MULTI", "DISCARD"].map(|name| Needed::new(name, &[], &[]));
    let [begin, run, begin_again, discard] = &transaction;
    let all = [begin, run, begin_again].into_iter().chain(needed).chain([discard]);
    for needed in all {
        let sent: RedisResult<Value> = answer(needed.command.query_async(connection)).await;
        match sent {
            Ok(_) => {}
            Err(error) if is_permission(&error) => {
                return Err(ConnectFailure { is_refusal: true, why: needed.refusal(&error) });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What an error of a session comes to: if it is about permissions, the command and the keys are named if they can be found.
pub async fn ended(error: RedisError, connection: &mut MultiplexedConnection, needed: &[Needed]) -> Ended {
    if is_permission(&error)
        && let Err(ConnectFailure { why, .. }) = check(connection, needed).await
    {
        return Ended::Refused(why);
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_named_with_its_keys() {
        let error = || RedisError::from((redis::ErrorKind::Client, "NOPERM"));
        let needed = Needed::new("LMOVE", &["jobs", "jobs:processing:1"], &["LEFT", "RIGHT"]);
        let refusal = needed.refusal(&error());
        assert!(refusal.starts_with("the user may not run LMOVE on \"jobs\" and \"jobs:processing:1\" ("), "{refusal}");
        let refusal = Needed::with_prefix("XGROUP", &["CREATE"], &["s"], &["g", "0"]).refusal(&error());
        assert!(refusal.starts_with("the user may not run XGROUP on \"s\" ("), "{refusal}");
        assert!(Needed::new("TIME", &[], &[]).refusal(&error()).starts_with("the user may not run TIME ("));
    }
}
