//! Settings: what wins, what is refused, and how it is said.

mod default_file;
mod layers;
mod refusals;
mod rules;
mod secrets;

use oncely::config::{Error, Flag, Loaded, Origin, Sources, Violation, load};

const CANARY: &str = "canary-7f3a";

/// Loads a file's text, variables and flags.
fn load_from(
    file: &str,
    variables: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Loaded, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oncely.toml");
    std::fs::write(&path, file).unwrap();
    load(Sources {
        file: Some(path),
        environment: variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        flags: flags
            .iter()
            .map(|(key, value)| Flag {
                name: format!("--{}", key.replace('_', "-")),
                key: (*key).to_owned(),
                value: (*value).to_owned(),
            })
            .collect(),
    })
}

fn violations(file: &str, variables: &[(&str, &str)]) -> Vec<Violation> {
    match load_from(file, variables, &[]) {
        Err(Error::Invalid(violations)) => violations,
        Err(error) => panic!("{error}"),
        Ok(_) => Vec::new(),
    }
}

/// Every violation in words, the folder of the file left out.
fn complaints(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let said = violations(file, variables).into_iter().map(|mut it| {
        if let Some(Origin::File(path)) = &mut it.origin {
            *path = "oncely.toml".into();
        }
        it.to_string()
    });
    said.collect()
}
