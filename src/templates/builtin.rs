//! The templates inside the binary.

/// Name and source of each.
pub(super) const TEMPLATES: [(&str, &str); 23] = [
    ("base.html", include_str!("default/base.html")),
    ("base.txt", include_str!("default/base.txt")),
    (
        "partials/style.css",
        include_str!("default/partials/style.css"),
    ),
    (
        "partials/lead.html",
        include_str!("default/partials/lead.html"),
    ),
    (
        "partials/article.html",
        include_str!("default/partials/article.html"),
    ),
    (
        "digest/issue.html",
        include_str!("default/digest/issue.html"),
    ),
    ("digest/issue.txt", include_str!("default/digest/issue.txt")),
    (
        "weekly/issue.html",
        include_str!("default/weekly/issue.html"),
    ),
    ("weekly/issue.txt", include_str!("default/weekly/issue.txt")),
    ("pages/base.html", include_str!("default/pages/base.html")),
    ("pages/home.html", include_str!("default/pages/home.html")),
    ("pages/list.html", include_str!("default/pages/list.html")),
    (
        "pages/section.html",
        include_str!("default/pages/section.html"),
    ),
    ("pages/tag.html", include_str!("default/pages/tag.html")),
    (
        "pages/author.html",
        include_str!("default/pages/author.html"),
    ),
    (
        "pages/article.html",
        include_str!("default/pages/article.html"),
    ),
    (
        "pages/letter.html",
        include_str!("default/pages/letter.html"),
    ),
    (
        "pages/letters.html",
        include_str!("default/pages/letters.html"),
    ),
    ("pages/404.html", include_str!("default/pages/404.html")),
    (
        "pages/redirect.html",
        include_str!("default/pages/redirect.html"),
    ),
    ("pages/card.html", include_str!("default/pages/card.html")),
    ("pages/pager.html", include_str!("default/pages/pager.html")),
    ("pages/style.css", include_str!("default/pages/style.css")),
];
