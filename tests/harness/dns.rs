//! A DNS server on loopback that knows what it is told, over UDP (RFC 1035).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, MX, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

#[derive(Default)]
struct Zone {
    records: BTreeMap<(Name, RecordType), Vec<RData>>,
    broken: BTreeSet<Name>,
}

/// The server; it ends with the process.
#[derive(Clone)]
pub(crate) struct Dns {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{}.", text.trim_end_matches('.'))).unwrap()
}

impl Dns {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let dns = Self {
            address: socket.local_addr().unwrap(),
            zone: Arc::default(),
        };
        let zone = Arc::clone(&dns.zone);
        thread::spawn(move || {
            let mut packet = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut packet) {
                let reply = answer(&packet[..length], &zone.lock().unwrap());
                socket.send_to(&reply, from).unwrap();
            }
        });
        dns
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn add(&self, at: &str, data: RData) -> &Self {
        let key = (name(at), data.record_type());
        let mut zone = self.zone.lock().unwrap();
        zone.records.entry(key).or_default().push(data);
        self
    }

    /// A TXT record, in strings of at most 255 bytes.
    pub(crate) fn text(&self, at: &str, value: &str) -> &Self {
        let strings = value.as_bytes().chunks(255);
        let strings = strings.map(|part| String::from_utf8(part.to_vec()).unwrap());
        self.add(at, RData::TXT(TXT::new(strings.collect())))
    }

    pub(crate) fn address_of(&self, at: &str, address: &str) -> &Self {
        match address.parse().unwrap() {
            IpAddr::V4(four) => self.add(at, RData::A(A(four))),
            IpAddr::V6(six) => self.add(at, RData::AAAA(AAAA(six))),
        }
    }

    pub(crate) fn exchange(&self, at: &str, preference: u16, host: &str) -> &Self {
        self.add(at, RData::MX(MX::new(preference, name(host))))
    }

    /// The name of an address.
    pub(crate) fn pointer(&self, address: &str, to: &str) -> &Self {
        let at = Name::from(address.parse::<IpAddr>().unwrap());
        self.add(&at.to_ascii(), RData::PTR(PTR(name(to))))
    }

    /// Takes every record of this name away.
    pub(crate) fn without(&self, at: &str) -> &Self {
        let at = name(at);
        let mut zone = self.zone.lock().unwrap();
        zone.records.retain(|(known, _), _| *known != at);
        drop(zone);
        self
    }

    /// Answers SERVFAIL for this name.
    pub(crate) fn fails_at(&self, at: &str) -> &Self {
        self.zone.lock().unwrap().broken.insert(name(at));
        self
    }
}

fn answer(packet: &[u8], zone: &Zone) -> Vec<u8> {
    let question = Message::from_vec(packet).unwrap();
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    reply.metadata.recursion_desired = true;
    reply.metadata.recursion_available = true;
    for query in &question.queries {
        reply.add_query(query.clone());
        let asked = query.name().to_lowercase();
        if zone.broken.contains(&asked) {
            reply.metadata.response_code = ResponseCode::ServFail;
            continue;
        }
        let found = zone.records.get(&(asked.clone(), query.query_type()));
        let records = found.into_iter().flatten();
        reply.add_answers(records.map(|data| Record::from_rdata(asked.clone(), 60, data.clone())));
        let is_known = zone.records.keys().any(|(known, _)| *known == asked);
        if !is_known {
            reply.metadata.response_code = ResponseCode::NXDomain;
        }
    }
    reply.to_vec().unwrap()
}
