//! How output is published: compressed copies, and the hub that is told.

use url::Url;

use super::{findings::Findings, raw::RawContent, settings::Compression, without_login};

/// The copies beside each text file.
pub(super) fn compressions(raw: &RawContent, findings: &mut Findings) -> Vec<Compression> {
    let Some(names) = &raw.compress else {
        return vec![Compression::Gzip];
    };
    let mut chosen = Vec::new();
    for name in names {
        let known = Compression::ALL
            .into_iter()
            .find(|one| one.extension() == name.get_ref());
        match known {
            Some(one) if !chosen.contains(&one) => chosen.push(one),
            Some(_) => {}
            None => findings.at(
                Some(name),
                format!("content.compress has `{}`", name.get_ref()),
                "use \"gz\", \"br\" and \"zst\", or [] for none",
            ),
        }
    }
    chosen
}

/// A hub is told of changes by an HTTP request, and readers see its address:
/// `http(s)`, and nothing secret in it.
pub(super) fn hub_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| format!("`{}` is no URL", without_login(text)))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "the hub `{}` is reached by `{}`, not by http or https",
            without_login(text),
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "the hub `{}` has a login in its address, which every feed would show",
            without_login(text)
        ));
    }
    if url.fragment().is_some() {
        return Err(format!("the hub `{text}` has a part after `#`"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_an_address_that_everybody_may_see() {
        for good in [
            "https://hub.example.net/",
            "http://127.0.0.1:8080/hub?key=1",
        ] {
            assert_eq!(hub_url(good).unwrap().as_str(), good);
        }
        for (bad, said) in [
            ("hub.example.net", "no URL"),
            ("ftp://hub.example.net/", "not by http"),
            ("https://name:secret@hub.example.net/", "login"),
            ("https://hub.example.net/#a", "after `#`"),
        ] {
            let error = hub_url(bad).unwrap_err();
            assert!(error.contains(said), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
