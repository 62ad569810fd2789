//! `tidegate inspect`.

use std::fmt::Write as _;
use std::process::ExitCode;

use tidegate::Inspected;

use crate::COULD_NOT_START;
use crate::flags::{InspectFlags, OutputFlags};
use crate::report::{self, Style};

pub(crate) fn run(flags: &InspectFlags) -> ExitCode {
    match inspected(flags) {
        Ok(inspected) => {
            report::print(&shown(Style::of(&std::io::stdout()), &inspected));
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

fn inspected(flags: &InspectFlags) -> Result<Inspected, ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| told(&error, None))?;
    let engine = crate::run::engine(&flags.cache, &OutputFlags::default())
        .map_err(|error| told(&error, error.cure()))?;
    runtime.block_on(engine.inspect_file(&flags.script)).map_err(|error| told(&error, error.cure()))
}

fn told(error: &dyn std::error::Error, cure: Option<&str>) -> ExitCode {
    report::error(error, cure);
    ExitCode::from(COULD_NOT_START)
}

fn shown(style: Style, inspected: &Inspected) -> String {
    let Inspected { name, size, made_by, interfaces } = inspected;
    let mut text = format!("{}: a component of {} KB", style.bold(name), size.div_ceil(1024));
    let _ = write!(text, "\nlanguage: {}", language(&made_by.languages));
    if !made_by.tools.is_empty() {
        let _ = write!(text, "\nmade with: {}", made_by.tools.join(", "));
    }
    let strange = interfaces.strange();
    let world = if interfaces.fits_script() { "fits" } else { "does not fit" };
    let _ = write!(text, "\nworld: {world} tidegate:host/script");
    for (title, names) in [("imports", &interfaces.imports), ("exports", &interfaces.exports)] {
        let _ = write!(text, "\n{title}:");
        for name in names {
            let _ = write!(text, "\n  {name}");
            if title == "imports" && strange.contains(name) {
                text.push_str(" (tidegate does not offer this)");
            }
        }
    }
    let hints = interfaces.hints();
    if !hints.is_empty() {
        let _ = write!(text, "\nflags that the imports hint at (it may use none): {}", hints.join(" "));
    }
    text
}

/// Components tell what their parts were compiled from; which of those the author wrote, they do not.
fn language(languages: &[String]) -> String {
    match languages {
        [] => "unknown: the component does not tell, or that was stripped from it".to_owned(),
        [language] => language.clone(),
        [language, others @ ..] => {
            format!("{language} (and {}, as linked libraries may be)", others.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use tidegate::{Inspected, Interfaces, Producers};

    use super::shown;
    use crate::report::Style;

    #[test]
    fn languages_imports_exports_and_hints() {
        let interfaces = Interfaces {
            imports: vec!["tidegate:host/detect@0.1.0".into(), "wasi:cli/environment@0.2.0".into()],
            exports: vec!["wasi:cli/run@0.2.0".into()],
        };
        let made_by = Producers {
            languages: vec!["Rust".into(), "C11".into()],
            tools: vec!["rustc 1.95.0".into(), "wit-component 0.245.1".into()],
        };
        let inspected = Inspected { name: "pods".into(), size: 85_500, made_by, interfaces };
        expect![[r#"
            pods: a component of 84 KB
            language: Rust (and C11, as linked libraries may be)
            made with: rustc 1.95.0, wit-component 0.245.1
            world: fits tidegate:host/script
            imports:
              tidegate:host/detect@0.1.0
              wasi:cli/environment@0.2.0
            exports:
              wasi:cli/run@0.2.0
            flags that the imports hint at (it may use none): --allow-net --allow-read --allow-env --allow-run --wasi-env"#]]
        .assert_eq(&shown(Style::Plain, &inspected));
    }

    #[test]
    fn what_cannot_be_run_is_shown_all_the_same() {
        let interfaces = Interfaces { imports: vec!["other:host/thing@1.0.0".into()], exports: Vec::new() };
        let made_by = Producers { languages: Vec::new(), tools: Vec::new() };
        let inspected = Inspected { name: "thing".into(), size: 1, made_by, interfaces };
        expect![[r#"
            thing: a component of 1 KB
            language: unknown: the component does not tell, or that was stripped from it
            world: does not fit tidegate:host/script
            imports:
              other:host/thing@1.0.0 (tidegate does not offer this)
            exports:"#]]
        .assert_eq(&shown(Style::Plain, &inspected));
    }
}
