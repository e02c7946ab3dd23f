//! Messages of Amazon SNS by HTTP: whether one is what Amazon signed, for a topic
//! of ours. That keeps strangers from using our time; what a notification does is
//! still for the token inside it to prove.

use data_encoding::BASE64;
use serde::Deserialize;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
use url::Url;
use webpki::{EndEntityCert, aws_lc_rs::RSA_PKCS1_2048_8192_SHA256};

/// A message as SNS posts it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SnsMessage {
    /// `Notification`, `SubscriptionConfirmation` or `UnsubscribeConfirmation`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Which topic it belongs to.
    pub topic_arn: String,
    /// What it says.
    pub message: String,
    /// The page that confirms a subscription.
    #[serde(rename = "SubscribeURL")]
    pub subscribe_url: Option<String>,
    message_id: String,
    subject: Option<String>,
    timestamp: String,
    token: Option<String>,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnsError {
    /// Not the JSON that SNS sends.
    #[error("it is no message of Amazon SNS")]
    Form,
    /// Signed with SHA-1.
    #[error("it has no signature of version 2; set `SignatureVersion` of the topic to 2")]
    Version,
    /// It names a certificate that is not Amazon's.
    #[error("its certificate is not one of Amazon SNS in the region of the topic")]
    Certificate,
    /// Amazon did not sign it.
    #[error("its signature does not hold")]
    Signature,
}

impl SnsMessage {
    /// Reads a message; nothing of it is proven yet.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(body: &[u8]) -> Result<Self, SnsError> {
        serde_json::from_slice(body).map_err(|_| SnsError::Form)
    }

    /// Where the certificate is that it was signed for: always a file of Amazon
    /// SNS in the region of the topic.
    ///
    /// # Errors
    /// When it names another place, or no signature that we take.
    pub fn certificate_url(&self) -> Result<Url, SnsError> {
        if self.signature_version != "2" {
            return Err(SnsError::Version);
        }
        let region = self.topic_arn.split(':').nth(3).unwrap_or_default();
        let is_region = !region.is_empty()
            && region
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let url = Url::parse(&self.signing_cert_url).map_err(|_| SnsError::Certificate)?;
        let hosts = [
            format!("sns.{region}.amazonaws.com"),
            format!("sns.{region}.amazonaws.com.cn"),
        ];
        let is_host = url
            .host_str()
            .is_some_and(|host| hosts.iter().any(|one| one == host));
        let name = url.path().strip_prefix("/SimpleNotificationService-");
        let name = name.and_then(|name| name.strip_suffix(".pem"));
        let is_name = name.is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_plain = is_plain && url.port().is_none() && url.query().is_none();
        let is_sound = is_region && is_host && is_name && is_plain && url.scheme() == "https";
        is_sound.then_some(url).ok_or(SnsError::Certificate)
    }

    /// Checks the signature against the certificate (PEM) of
    /// [`Self::certificate_url`].
    ///
    /// # Errors
    /// When it does not hold.
    pub fn verify(&self, certificate: &[u8]) -> Result<(), SnsError> {
        let certificate =
            CertificateDer::from_pem_slice(certificate).map_err(|_| SnsError::Certificate)?;
        let certificate =
            EndEntityCert::try_from(&certificate).map_err(|_| SnsError::Certificate)?;
        let signature = BASE64
            .decode(self.signature.as_bytes())
            .map_err(|_| SnsError::Signature)?;
        let signed = self.signed().ok_or(SnsError::Form)?;
        certificate
            .verify_signature(RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
            .map_err(|_| SnsError::Signature)
    }

    /// What is signed: some of the fields, by name.
    fn signed(&self) -> Option<String> {
        let subject = self.subject.as_deref();
        let fields = match self.kind.as_str() {
            "Notification" => vec![
                ("Message", Some(self.message.as_str())),
                ("MessageId", Some(self.message_id.as_str())),
                ("Subject", subject),
            ],
            "SubscriptionConfirmation" | "UnsubscribeConfirmation" => vec![
                ("Message", Some(self.message.as_str())),
                ("MessageId", Some(self.message_id.as_str())),
                ("SubscribeURL", Some(self.subscribe_url.as_deref()?)),
            ],
            _ => return None,
        };
        let token = match self.kind.as_str() {
            "Notification" => None,
            _ => Some(self.token.as_deref()?),
        };
        let rest = [
            ("Timestamp", Some(self.timestamp.as_str())),
            ("Token", token),
            ("TopicArn", Some(self.topic_arn.as_str())),
            ("Type", Some(self.kind.as_str())),
        ];
        let mut signed = String::new();
        for (name, value) in fields.into_iter().chain(rest) {
            if let Some(value) = value {
                signed.push_str(&format!("{name}\n{value}\n"));
            }
        }
        Some(signed)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::{rand::SystemRandom, rsa, signature::RSA_PKCS1_SHA256};
    use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};

    use super::*;

    /// Somebody who signs as Amazon does.
    pub(crate) struct Signing {
        key: rsa::KeyPair,
        pub(crate) certificate: String,
    }

    impl Signing {
        pub(crate) fn new() -> Self {
            let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
            let names = vec!["sns.amazonaws.com".to_owned()];
            let certificate = CertificateParams::new(names).unwrap();
            let certificate = certificate.self_signed(&key).unwrap().pem();
            Self {
                key: rsa::KeyPair::from_pkcs8(&key.serialize_der()).unwrap(),
                certificate,
            }
        }

        /// The body of a message that says this.
        pub(crate) fn message(&self, kind: &str, message: &str) -> String {
            let mut json = serde_json::json!({
                "Type": kind,
                "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
                "TopicArn": "arn:aws:sns:eu-west-1:123456789012:bounces",
                "Message": message,
                "Timestamp": "2026-11-27T06:00:07.000Z",
                "SignatureVersion": "2",
                "Signature": "",
                "SigningCertURL":
                    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
            });
            if kind != "Notification" {
                json["Token"] = "secret".into();
                json["SubscribeURL"] = "https://sns.eu-west-1.amazonaws.com/?x=1".into();
            }
            let unsigned = SnsMessage::parse(json.to_string().as_bytes()).unwrap();
            let signed = unsigned.signed().unwrap();
            let mut signature = vec![0; self.key.public_modulus_len()];
            self.key
                .sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    signed.as_bytes(),
                    &mut signature,
                )
                .unwrap();
            json["Signature"] = BASE64.encode(&signature).into();
            json.to_string()
        }
    }

    #[test]
    fn a_signature_holds_for_what_was_signed_and_nothing_else() {
        let signing = Signing::new();
        let pem = signing.certificate.as_bytes();
        for kind in ["Notification", "SubscriptionConfirmation"] {
            let body = signing.message(kind, "hello");
            let message = SnsMessage::parse(body.as_bytes()).unwrap();
            assert_eq!(message.verify(pem), Ok(()), "{body}");
            assert!(message.certificate_url().is_ok());
            for (from, to) in [
                ("hello", "hullo"),
                ("22b80b92", "32b80b92"),
                (":bounces", ":others"),
                ("06:00:07", "06:00:08"),
            ] {
                let forged = body.replace(from, to);
                let forged = SnsMessage::parse(forged.as_bytes()).unwrap();
                assert_eq!(forged.verify(pem), Err(SnsError::Signature), "{from}");
            }
            let other = Signing::new();
            let verdict = message.verify(other.certificate.as_bytes());
            assert_eq!(verdict, Err(SnsError::Signature));
            assert_eq!(message.verify(b"no PEM"), Err(SnsError::Certificate));
        }
    }

    #[test]
    fn a_certificate_comes_from_amazon_only() {
        let body = Signing::new().message("Notification", "hello");
        let good = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem";
        for url in [
            "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
            "https://sns.eu-west-1.amazonaws.com.example.net/SimpleNotificationService-0a.pem",
            "https://sns.eu-west-1.amazonaws.com@example.net/SimpleNotificationService-0a.pem",
            "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0a.pem",
            "https://sns.eu-west-1.amazonaws.com/bucket/SimpleNotificationService-0a.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a.pem?x",
            "https://bucket.s3.amazonaws.com/SimpleNotificationService-0a.pem",
            "file:///etc/passwd",
            "",
        ] {
            let message = SnsMessage::parse(body.replace(good, url).as_bytes()).unwrap();
            assert_eq!(
                message.certificate_url(),
                Err(SnsError::Certificate),
                "{url}"
            );
        }
        let old = body.replace("\"SignatureVersion\":\"2\"", "\"SignatureVersion\":\"1\"");
        let message = SnsMessage::parse(old.as_bytes()).unwrap();
        assert_eq!(message.certificate_url(), Err(SnsError::Version));
        assert_eq!(SnsMessage::parse(b"{}"), Err(SnsError::Form));
    }
}
