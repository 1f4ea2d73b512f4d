//! The lectures, line by line, and the pictures of the lab.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn learn(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_learn")).args(words).output().expect("it starts")
}

#[test]
fn one_topic_is_printed_with_a_verdict_and_its_slide_in_each_line() {
    let done = learn(&["slides", "supply"]);
    let text = String::from_utf8(done.stdout).expect("text");
    assert_eq!(done.status.code(), Some(0), "{text}");
    let facts: Vec<&str> = text.lines().filter(|line| line.starts_with("C-SUP-")).collect();
    assert_eq!(facts.len(), 7, "{text}");
    for line in facts {
        assert!(line.contains(" OK ") && line.contains("[ledger_core::"), "{line}");
        assert!(line.contains("BAUN") || line.contains("DT"), "{line}");
    }
    assert!(text.contains("2099999997690000") && text.ends_with("0 FAIL\n"), "{text}");
    assert_eq!(learn(&["slides", "poetry"]).status.code(), Some(2));
}

#[test]
#[ignore = "takes a minute without optimisation: .ci/steps/72-slides.sh"]
fn the_lab_is_a_page_with_a_picture_and_a_paragraph_for_each_question() {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lab");
    let done = learn(&["lab", "--out", out.to_str().expect("text")]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let page = fs::read_to_string(out.join("index.html")).expect("a page");
    let pictures: Vec<&str> =
        page.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(pictures.len(), 12);
    for picture in pictures {
        let drawn = fs::read_to_string(out.join(picture)).expect("a picture");
        assert!(drawn.matches("<polyline").count() > 0 && !drawn.contains("NaN"), "{picture}");
    }
    assert!(!page.contains("NaN") && page.matches("<p>").count() == 12);
}
