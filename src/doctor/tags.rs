//! Records that are lists of tags (RFC 6376 3.2), as DKIM and DMARC have them.

/// The value of a tag, without the space that may stand within it.
pub(super) fn tag(text: &str, name: &str) -> Option<String> {
    text.split(';').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        let is_it = key.trim() == name;
        is_it.then(|| value.split_ascii_whitespace().collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_receivers_do() {
        let text = "v=DKIM1; k = rsa ; p=MII B\n ijA== ;t=s:y";
        assert_eq!(tag(text, "p").as_deref(), Some("MIIBijA=="));
        assert_eq!(tag(text, "k").as_deref(), Some("rsa"));
        assert_eq!(tag(text, "t").as_deref(), Some("s:y"));
        assert_eq!(tag(text, "h"), None);
    }
}
