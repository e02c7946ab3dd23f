//! The templates inside the binary.

/// Name and source of each.
pub(super) const TEMPLATES: [(&str, &str); 9] = [
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
];
