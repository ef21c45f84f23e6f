//! Why there are no settings.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Violation;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file can't be read.
    #[error("read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something is wrong with what was read; this is all of it.
    #[error("{}", Listed(.0))]
    Invalid(Vec<Violation>),
}

struct Listed<'a>(&'a [Violation]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not valid:")?;
        for violation in self.0 {
            write!(f, "\n  {violation}")?;
        }
        Ok(())
    }
}
