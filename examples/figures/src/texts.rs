//! Tables between marks in the project's texts.
//!
//! ```text
//! <!-- figures: NAME -->
//! what the command wrote
//! <!-- end of figures -->
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- figures: ";
const BEGIN_END: &str = " -->\n";
const END: &str = "<!-- end of figures -->";

/// Returns all Markdown files below a folder, without what was built and what is hidden.
pub fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            found.extend(below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the names of the tables that a text has marks for.
pub fn names(text: &str) -> Vec<&str> {
    let after = text.split(BEGIN).skip(1);
    after.filter_map(|rest| rest.split_once(BEGIN_END).map(|(name, _)| name)).collect()
}

/// Returns the text with `table` between the marks of `name`, or `None` if a mark misses.
pub fn replaced(text: &str, name: &str, table: &str) -> Option<String> {
    let begin = format!("{BEGIN}{name}{BEGIN_END}");
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{begin}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n<!-- figures: x -->\nold\n<!-- end of figures -->\nb\n";

    #[test]
    fn a_table_is_replaced_between_its_marks_and_nowhere_else() {
        assert_eq!(names(TEXT), ["x"]);
        let text = replaced(TEXT, "x", "new\n").expect("both marks");
        assert_eq!(text, "a\n<!-- figures: x -->\nnew\n<!-- end of figures -->\nb\n");
        assert_eq!(replaced(&text, "x", "new\n"), Some(text.clone()));
    }

    #[test]
    fn a_missing_mark_changes_nothing() {
        assert_eq!(replaced(TEXT, "y", "new\n"), None);
        assert_eq!(replaced("<!-- figures: x -->\nold\n", "x", "new\n"), None);
    }
}
