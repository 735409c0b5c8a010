//! The executable under test and how it is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use spin_app_model::launch::env;
use spin_app_model::{SPIN_COMPAT_VERSION, TriggerType};

use crate::locks;

/// Where a trigger of type `http` listens by default is a port that may be taken, so it is told to choose one. Other
/// triggers don't know the variable.
const LISTEN: (&str, &str) = ("SPIN_HTTP_LISTEN_ADDR", "127.0.0.1:0");

/// A trigger executable.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The file, absolute.
    pub(crate) executable: PathBuf,
    /// The type that it is a trigger of.
    pub(crate) trigger_type: TriggerType,
    /// The text of the locked app that it is to run.
    pub(crate) lock: String,
    /// Whether that app is one that was given, not ours.
    pub(crate) lock_given: bool,
    /// How long it may take until it is ready.
    pub(crate) patience: Duration,
    arguments: Vec<OsString>,
}

/// Why there is nothing to test.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubjectError {
    #[error("the executable {} can't be found: {source}; give the path of its file", path.display())]
    Executable { path: PathBuf, source: std::io::Error },
    #[error("{} is no file; give the path of the trigger's executable", path.display())]
    NotAFile { path: PathBuf },
    #[error("the type can't be told from the name {name:?}, which is not trigger-<type>; give it with --type")]
    Type { name: String },
    #[error("the locked app {} can't be read: {source}", path.display())]
    Lock { path: PathBuf, source: std::io::Error },
}

impl Subject {
    /// Looks at what was given. The type comes from the file's name if it isn't given.
    pub(crate) fn new(
        executable: PathBuf,
        trigger_type: Option<TriggerType>,
        lock: Option<PathBuf>,
        arguments: Vec<OsString>,
        patience: Duration,
    ) -> Result<Self, SubjectError> {
        let trigger_type = match trigger_type {
            Some(trigger_type) => trigger_type,
            None => type_of(&executable)?,
        };
        // A trigger is started in another folder than this one.
        let executable = std::fs::canonicalize(&executable)
            .map_err(|source| SubjectError::Executable { path: executable, source })?;
        if !executable.is_file() {
            return Err(SubjectError::NotAFile { path: executable });
        }
        let lock_given = lock.is_some();
        let lock = match lock {
            Some(path) => std::fs::read_to_string(&path).map_err(|source| SubjectError::Lock { path, source })?,
            None => locks::without_triggers(),
        };
        Ok(Self { executable, trigger_type, lock, lock_given, patience, arguments })
    }

    /// The arguments that it is always started with.
    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// The same, always started with a flag more, which stands in front of words.
    pub(crate) fn with_flag(&self, flag: &str) -> Self {
        let mut subject = self.clone();
        let words = self.arguments.iter().position(|argument| argument == "--").unwrap_or(self.arguments.len());
        subject.arguments.insert(words, flag.into());
        subject
    }

    /// How it is started in `folder`, without any variable that a host decides.
    pub(crate) fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(&self.arguments).current_dir(folder);
        for variable in env::SET_BY_HOST {
            command.env_remove(variable);
        }
        if std::env::var_os(LISTEN.0).is_none() {
            command.env(LISTEN.0, LISTEN.1);
        }
        command
    }

    /// How it is started to run the app that `lock_file` has, as a host does.
    pub(crate) fn command_for_app(&self, folder: &Path, lock_file: &Path) -> Command {
        let mut command = self.command(folder);
        command.env(env::LOCKED_URL, url_of(lock_file)).env(env::WORKING_DIR, folder);
        let version = SPIN_COMPAT_VERSION.parse().expect("the constant is a version");
        command.envs(env::version_variables(&version));
        command.env(env::HOST_VERSION, env!("CARGO_PKG_VERSION"));
        if let Ok(path) = std::env::current_exe() {
            command.env(env::BIN_PATH, path);
        }
        command
    }
}

/// The URL of a lock file, whose path is absolute.
pub(crate) fn url_of(lock_file: &Path) -> String {
    url::Url::from_file_path(lock_file).expect("the folder of the lock file is absolute").into()
}

fn type_of(executable: &Path) -> Result<TriggerType, SubjectError> {
    let name = executable.file_name().unwrap_or_default().to_string_lossy();
    let trigger_type = name.strip_prefix("trigger-").and_then(|rest| rest.parse().ok());
    trigger_type.ok_or_else(|| SubjectError::Type { name: name.into_owned() })
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// A shell script as a trigger of type `stub`; a question that it is asked is its `$0`.
    pub(crate) fn script(text: &str) -> Subject {
        let arguments = vec!["-c".into(), text.into()];
        let trigger_type = "stub".parse().unwrap();
        Subject::new("/bin/sh".into(), Some(trigger_type), None, arguments, Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn the_type_is_in_the_name() {
        assert_eq!(type_of(Path::new("/x/trigger-redis")).unwrap().as_str(), "redis");
        let message = type_of(Path::new("/x/http")).unwrap_err().to_string();
        assert!(message.contains("\"http\"") && message.contains("--type"), "{message}");
        assert!(type_of(Path::new("trigger-NO")).is_err());
    }

    #[test]
    fn a_further_flag_stands_in_front_of_words() {
        let with = |arguments: &[&str]| {
            let arguments = arguments.iter().map(Into::into).collect();
            let stub = Some("stub".parse().unwrap());
            let subject = Subject::new("/bin/sh".into(), stub, None, arguments, Duration::ZERO).unwrap();
            subject.with_flag("--x").arguments
        };
        assert_eq!(with(&["-a", "--", "b"]), ["-a", "--x", "--", "b"]);
        assert_eq!(with(&["-a", "b"]), ["-a", "b", "--x"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = Subject::new("/nowhere/trigger-a".into(), None, None, Vec::new(), Duration::ZERO).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/trigger-a"), "{missing}");
        let stub = "stub".parse().unwrap();
        let folder = Subject::new("/".into(), Some(stub), None, Vec::new(), Duration::ZERO).unwrap_err();
        assert!(folder.to_string().starts_with("/ is no file"), "{folder}");
    }
}
