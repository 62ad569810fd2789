//! What guests say of lists, watches and reflectors alike: how a list comes, and what of it is wanted.

use std::fmt::Display;

use tidegate_kube::scan::{Filter, Mask};
use tidegate_transport::{Code, Error, ListSource};

/// Filters as a guest wrote them.
#[derive(Default)]
pub(crate) struct Filters {
    pub(crate) labels: String,
    pub(crate) fields: String,
    pub(crate) expression: String,
}

impl Filters {
    /// None where they let everything pass. Errors: one of them is none.
    pub(crate) fn build(self) -> Result<Option<Filter>, Error> {
        // Most say nothing, and parsers take much of a guest's stack, page by page.
        if [&self.labels, &self.fields, &self.expression].into_iter().all(String::is_empty) {
            return Ok(None);
        }
        let filter = Filter::builder().labels(self.labels).fields(self.fields).expression(self.expression);
        let filter = filter.build().map_err(invalid)?;
        Ok((!filter.is_everything()).then_some(filter))
    }
}

/// None where no path is named. Errors: what is no path.
pub(crate) fn mask(paths: &[String]) -> Result<Option<Mask>, Error> {
    if paths.is_empty() { Ok(None) } else { Mask::parse(paths).map(Some).map_err(invalid) }
}

/// Errors: a word that this host does not know.
pub(crate) fn source(word: Option<&str>) -> Result<ListSource, Error> {
    match word {
        None | Some("pages") => Ok(ListSource::Pages),
        Some("whole") => Ok(ListSource::Whole),
        Some("watch-list") => Ok(ListSource::WatchList),
        Some(_) => {
            let text = "a list comes as `pages`, `whole` or `watch-list`: this host knows no other source";
            Err(Error::new(Code::Unsupported, text))
        }
    }
}

fn invalid(error: impl Display) -> Error {
    Error::new(Code::InvalidRequest, error.to_string())
}
