//! What is watched of the running service: metrics and traces.

use clap::Args;
use std::net::{Ipv4Addr, SocketAddr};

/// Where metrics are read and traces sent.
#[derive(Debug, Clone, Args)]
pub struct WatchSettings {
    /// Address that serves /metrics to Prometheus, apart from the API; a port alone is on 127.0.0.1; none when absent
    #[arg(long, env = "CLINIC_METRICS_LISTEN", value_name = "ADDRESS:PORT", value_parser = own_address)]
    pub metrics_listen: Option<SocketAddr>,

    /// Collector that traces are sent to by OTLP over HTTP, such as `http://127.0.0.1:4318`; no traces when absent
    #[arg(long, env = "CLINIC_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,

    /// Share of the requests that are traced, from 0 to 1; with --trust-proxy also those whose traceparent says so
    #[arg(long, env = "CLINIC_TRACE_SHARE", default_value_t = 1.0, value_name = "SHARE", value_parser = share)]
    pub trace_share: f64,
}

fn own_address(text: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("{text:?} is neither a port nor an address such as 127.0.0.1:9464");
    match text.parse::<u16>() {
        Ok(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        Err(_) => text.parse().map_err(|_| wrong()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is no number from 0 to 1, such as 0.1"))
}

impl WatchSettings {
    /// Settings that contradict each other or the address of the API, as one line.
    pub fn check(&self, listen: SocketAddr) -> Result<(), String> {
        if self.metrics_listen.is_some_and(|own| own == listen && own.port() != 0) {
            return Err("--metrics-listen needs an address of its own, not that of --listen".to_owned());
        }
        let is_address = |text: &str| {
            url::Url::parse(text).is_ok_and(|it| {
                matches!(it.scheme(), "http" | "https")
                    && it.has_host()
                    && it.query().is_none()
                    && it.fragment().is_none()
            })
        };
        match &self.otlp_endpoint {
            Some(address) if !is_address(address) => {
                Err("--otlp-endpoint is not an address such as http://127.0.0.1:4318".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_stays_on_this_machine() {
        let read = |text| own_address(text).map(|address| address.to_string());
        assert_eq!(read("9464").as_deref(), Ok("127.0.0.1:9464"));
        assert_eq!(read("10.0.0.5:9464").as_deref(), Ok("10.0.0.5:9464"));
        assert_eq!(read("[::1]:0").as_deref(), Ok("[::1]:0"));
        assert!(["", "localhost:9464", "70000", "127.0.0.1"].iter().all(|wrong| read(wrong).is_err()));
    }

    #[test]
    fn a_share_is_from_none_to_all() {
        assert_eq!(["0", "0.25", "1"].map(share), [Ok(0.0), Ok(0.25), Ok(1.0)]);
        assert!(["-0.1", "1.1", "NaN", "all", ""].iter().all(|wrong| share(wrong).is_err()));
    }

    #[test]
    fn addresses_that_can_not_be_are_refused() {
        let listen: SocketAddr = "127.0.0.1:8080".parse().expect("an address");
        let settings = |own: Option<&str>, collector: Option<&str>| WatchSettings {
            metrics_listen: own.map(|own| own_address(own).expect("an address")),
            otlp_endpoint: collector.map(str::to_owned),
            trace_share: 1.0,
        };
        assert!(settings(Some("8080"), None).check(listen).is_err_and(|why| why.contains("of its own")));
        assert_eq!(settings(Some("9464"), Some("https://collector.example/base")).check(listen), Ok(()));
        for wrong in ["", "127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://127.0.0.1:4318?x=1"] {
            assert!(settings(None, Some(wrong)).check(listen).is_err(), "{wrong}");
        }
    }
}
