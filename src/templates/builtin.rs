//! The templates inside the binary.

/// Name and source of each.
pub(super) const TEMPLATES: [(&str, &str); 59] = [
    (
        "announcement/issue.html",
        include_str!("default/announcement/issue.html"),
    ),
    (
        "announcement/issue.txt",
        include_str!("default/announcement/issue.txt"),
    ),
    (
        "announcement/subject.txt",
        include_str!("default/announcement/subject.txt"),
    ),
    ("base.html", include_str!("default/base.html")),
    ("base.txt", include_str!("default/base.txt")),
    (
        "confirm/message.html",
        include_str!("default/confirm/message.html"),
    ),
    (
        "confirm/message.txt",
        include_str!("default/confirm/message.txt"),
    ),
    (
        "confirm/subject.txt",
        include_str!("default/confirm/subject.txt"),
    ),
    (
        "digest/issue.html",
        include_str!("default/digest/issue.html"),
    ),
    ("digest/issue.txt", include_str!("default/digest/issue.txt")),
    (
        "digest/subject.txt",
        include_str!("default/digest/subject.txt"),
    ),
    (
        "goodbye/message.html",
        include_str!("default/goodbye/message.html"),
    ),
    (
        "goodbye/message.txt",
        include_str!("default/goodbye/message.txt"),
    ),
    (
        "goodbye/subject.txt",
        include_str!("default/goodbye/subject.txt"),
    ),
    (
        "letter/issue.html",
        include_str!("default/letter/issue.html"),
    ),
    ("letter/issue.txt", include_str!("default/letter/issue.txt")),
    (
        "letter/subject.txt",
        include_str!("default/letter/subject.txt"),
    ),
    ("notice.html", include_str!("default/notice.html")),
    ("notice.txt", include_str!("default/notice.txt")),
    (
        "partials/article.html",
        include_str!("default/partials/article.html"),
    ),
    (
        "partials/article.txt",
        include_str!("default/partials/article.txt"),
    ),
    (
        "partials/button.html",
        include_str!("default/partials/button.html"),
    ),
    (
        "partials/footer.html",
        include_str!("default/partials/footer.html"),
    ),
    (
        "partials/footer.txt",
        include_str!("default/partials/footer.txt"),
    ),
    (
        "partials/heading.txt",
        include_str!("default/partials/heading.txt"),
    ),
    (
        "partials/hero.html",
        include_str!("default/partials/hero.html"),
    ),
    (
        "partials/kicker.html",
        include_str!("default/partials/kicker.html"),
    ),
    (
        "partials/lead.html",
        include_str!("default/partials/lead.html"),
    ),
    (
        "partials/lead.txt",
        include_str!("default/partials/lead.txt"),
    ),
    (
        "partials/masthead.html",
        include_str!("default/partials/masthead.html"),
    ),
    (
        "partials/others.html",
        include_str!("default/partials/others.html"),
    ),
    (
        "partials/others.txt",
        include_str!("default/partials/others.txt"),
    ),
    (
        "partials/style.css",
        include_str!("default/partials/style.css"),
    ),
    (
        "weekly/issue.html",
        include_str!("default/weekly/issue.html"),
    ),
    ("weekly/issue.txt", include_str!("default/weekly/issue.txt")),
    (
        "weekly/subject.txt",
        include_str!("default/weekly/subject.txt"),
    ),
    (
        "welcome/message.html",
        include_str!("default/welcome/message.html"),
    ),
    (
        "welcome/message.txt",
        include_str!("default/welcome/message.txt"),
    ),
    (
        "welcome/subject.txt",
        include_str!("default/welcome/subject.txt"),
    ),
    ("pages/404.html", include_str!("default/pages/404.html")),
    (
        "pages/article.html",
        include_str!("default/pages/article.html"),
    ),
    (
        "pages/author.html",
        include_str!("default/pages/author.html"),
    ),
    ("pages/base.html", include_str!("default/pages/base.html")),
    ("pages/card.html", include_str!("default/pages/card.html")),
    ("pages/home.html", include_str!("default/pages/home.html")),
    (
        "pages/letter.html",
        include_str!("default/pages/letter.html"),
    ),
    (
        "pages/letters.html",
        include_str!("default/pages/letters.html"),
    ),
    ("pages/list.html", include_str!("default/pages/list.html")),
    ("pages/pager.html", include_str!("default/pages/pager.html")),
    (
        "pages/redirect.html",
        include_str!("default/pages/redirect.html"),
    ),
    (
        "pages/section.html",
        include_str!("default/pages/section.html"),
    ),
    ("pages/style.css", include_str!("default/pages/style.css")),
    ("pages/tag.html", include_str!("default/pages/tag.html")),
    (
        "readers/base.html",
        include_str!("default/readers/base.html"),
    ),
    (
        "readers/leave.html",
        include_str!("default/readers/leave.html"),
    ),
    (
        "readers/left.html",
        include_str!("default/readers/left.html"),
    ),
    (
        "readers/preferences.html",
        include_str!("default/readers/preferences.html"),
    ),
    (
        "readers/style.css",
        include_str!("default/readers/style.css"),
    ),
    (
        "readers/trouble.html",
        include_str!("default/readers/trouble.html"),
    ),
];
