//! Promises of the templates.

use tera::context;

use super::*;

fn load(files: &[(&str, &str)]) -> (Templates, Vec<String>) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("templates");
    for (name, source) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, source).unwrap();
    }
    let (templates, problems) = Templates::load(Some(&folder));
    (
        templates,
        problems.iter().map(ToString::to_string).collect(),
    )
}

#[test]
fn the_built_in_kinds_need_no_folder() {
    let (templates, problems) = Templates::load(None);
    assert_eq!(
        templates.kinds(),
        ["announcement", "digest", "letter", "weekly"]
    );
    assert!(problems.is_empty());
    let (templates, problems) = Templates::load(Some(Path::new("no/such/folder")));
    assert!(templates.has_kind("weekly") && !templates.has_kind("base"));
    assert!(problems.is_empty());
}

#[test]
fn a_file_of_the_folder_takes_the_place_of_the_built_in_one() {
    let (templates, problems) = load(&[("weekly/issue.txt", "Hello {{ name }}")]);
    assert_eq!(problems, Vec::<String>::new());
    let context = context! { name => "<b>" };
    assert_eq!(
        templates.render_text("weekly", &context).unwrap(),
        "Hello <b>"
    );
}

#[test]
fn a_new_folder_is_a_new_kind() {
    let (templates, _) = load(&[
        ("monthly/issue.html", "<p>{{ name }}</p>"),
        ("monthly/issue.txt", "{{ name }}"),
    ]);
    assert_eq!(
        templates.kinds(),
        ["announcement", "digest", "letter", "monthly", "weekly"]
    );
    let context = context! { name => "<b>" };
    assert_eq!(
        templates.render_html("monthly", &context).unwrap(),
        "<p>&lt;b&gt;</p>"
    );
}

#[test]
fn every_faulty_template_is_reported_with_its_line_in_one_run() {
    let (templates, problems) = load(&[
        ("base.html", "<html>\n{% block body %}\n"),
        ("letter/issue.html", "one\n{{ name | wrapp }}\n"),
        ("letter/issue.txt", "one\ntwo\n{% if %}x{% endif %}"),
        ("digest/issue.txt", "{% extends \"bass.txt\" %}"),
        ("Big Name/issue.txt", "x"),
        ("notes.md", "not a template"),
    ]);
    let all = problems.join("\n");
    assert_eq!(problems.len(), 5, "{all}");
    assert!(all.contains("templates/base.html:"), "{all}");
    assert!(
        all.contains("templates/letter/issue.html:2: error: unknown filter `wrapp`"),
        "{all}"
    );
    assert!(
        all.contains("templates/letter/issue.txt:3: error:"),
        "{all}"
    );
    assert!(
        all.contains("templates/digest/issue.txt: error: extends `bass.txt`"),
        "{all}"
    );
    assert!(all.contains("templates/Big Name/issue.txt"), "{all}");
    // What is broken does not take down the rest.
    assert!(templates.has_kind("weekly"));
}

#[test]
fn a_name_that_nothing_defines_is_an_error_with_file_line_and_suggestion() {
    let (templates, _) = load(&[
        ("letter/issue.html", "one\n{{ issue.titel }}\n"),
        ("letter/issue.txt", "{{ isue.title }}"),
    ]);
    let issue = std::collections::BTreeMap::from([("title", "Soup"), ("number", "1")]);
    let context = context! { issue => &issue };
    let error = templates.render_html("letter", &context).unwrap_err();
    assert_eq!(
        error.to_string(),
        "templates/letter/issue.html:2: field `titel` is not defined; did you mean `title`?"
    );
    let error = templates.render_text("letter", &context).unwrap_err();
    assert_eq!(
        error.problem().to_string(),
        "templates/letter/issue.txt:1: error: variable `isue` is not defined; did you mean `issue`?"
    );
}

#[test]
fn a_condition_on_an_unknown_name_is_found_too() {
    let (templates, _) = load(&[
        ("letter/issue.html", "{% if isue %}x{% endif %}"),
        (
            "letter/issue.txt",
            "{% for a in issue.all %}{% set b = a %}{{ b }}{% endfor %}",
        ),
    ]);
    let problems = templates.unknown_names("letter", &["issue", "reader"]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].remedy, "did you mean `issue`?");
    let names = ["publication", "theme", "digest", "issue", "reader", "list"];
    let (templates, _) = load(&[]);
    for kind in ["digest", "weekly", "letter", "announcement"] {
        assert_eq!(templates.unknown_names(kind, &names), []);
    }
}

#[test]
fn text_cannot_be_declared_html() {
    let (templates, _) = load(&[
        ("letter/issue.html", "{{ title | safe }}"),
        ("letter/issue.txt", ""),
    ]);
    let context = context! { title => "<script>" };
    let error = templates.render_html("letter", &context).unwrap_err();
    assert!(
        error.to_string().contains("`safe` is not for text"),
        "{error}"
    );
}

#[test]
fn a_subject_is_not_escaped_and_its_errors_name_the_setting() {
    let (templates, _) = load(&[]);
    let context = context! { title => "Fish & chips" };
    let file = Path::new("letterpress.toml");
    let subject = templates.render_subject("{{ title }}!", &context, file);
    assert_eq!(subject.unwrap(), "Fish & chips!");
    for source in [
        "{{ titl }}",
        "{{ title",
        "{% include \"base.html\" %}{{ x }}",
    ] {
        let error = templates
            .render_subject(source, &context, file)
            .unwrap_err();
        assert_eq!(error.file, file, "{error}");
    }
}

#[test]
fn text_is_wrapped_by_display_width_and_urls_stay_whole() {
    let (templates, _) = load(&[
        ("letter/issue.html", ""),
        (
            "letter/issue.txt",
            "{{ text | wrap(width=20, indent=\"  \", first=\"* \") }}\n{{ title | underline }}",
        ),
    ]);
    let context = context! {
        text => "日本語の文章 and https://example.org/a-very-long-address end",
        title => "日本"
    };
    assert_eq!(
        templates.render_text("letter", &context).unwrap(),
        "* 日本語の文章 and\n  https://example.org/a-very-long-address\n  end\n===="
    );
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_folder_is_not_followed() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("templates");
    fs::create_dir_all(folder.join("monthly")).unwrap();
    fs::write(root.path().join("secret.txt"), "secret").unwrap();
    let link = folder.join("monthly/issue.txt");
    std::os::unix::fs::symlink(root.path().join("secret.txt"), link).unwrap();
    let (templates, problems) = Templates::load(Some(&folder));
    assert!(problems[0].what.contains("symbolic link"));
    assert!(!templates.has_kind("monthly"));
}
