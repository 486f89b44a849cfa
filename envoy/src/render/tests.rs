use super::*;
use crate::data_plane::EngineEndpoint;
use crate::{Settings, compile};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::{
    HeaderValueOption, TypedExtensionConfig, data_source, transport_socket,
};
use envoy_types::pb::envoy::config::endpoint::v3::{ClusterLoadAssignment, lb_endpoint};
use envoy_types::pb::envoy::config::listener::v3::Listener;
use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::{HeaderMatcher, RouteConfiguration, route};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{DownstreamTlsContext, Secret, secret};
use envoy_types::pb::google::protobuf::value::Kind;
use kthena_core::engine::Transport;
use kthena_crds::Resources;
use prost::{Message, Name};

fn wiring() -> Wiring {
    Wiring { sockets: Sockets::in_directory(Path::new("/run/kthena")), wasm: "/lib/filter.wasm".into() }
}

fn unpack<M: Message + Name + Default>(resource: &Resource) -> M {
    assert_eq!(resource.body.type_url, M::type_url());
    M::decode(resource.body.value.as_slice()).unwrap()
}

fn names<M: Name>(snapshot: &Snapshot) -> Vec<String> {
    let of_type = snapshot.types().filter(|(url, _)| *url == M::type_url());
    of_type.flat_map(|(_, resources)| resources).map(|resource| resource.name.clone()).collect()
}

#[test]
fn the_shape_is_constant() {
    let data_plane = compile(&Resources::default(), &Settings::default());
    let snapshot = Renderer::new(wiring()).render(&data_plane).unwrap();
    assert_eq!(names::<Cluster>(&snapshot), data_plane.clusters);
    assert_eq!(names::<ClusterLoadAssignment>(&snapshot), [ENGINES]);
    assert_eq!(names::<Listener>(&snapshot), [NAME]);
    assert_eq!(names::<RouteConfiguration>(&snapshot), [NAME]);
    assert_eq!(names::<TypedExtensionConfig>(&snapshot), [NAME]);
}

#[test]
fn where_spans_are_made_there_is_a_cluster_for_their_collector_and_the_filter_hears_of_it() {
    let tls = Some(crate::CollectorTls { authorities: "/ca.pem".into() });
    let collector = crate::Collector { host: "otel.example".to_owned(), port: 4317, tls };
    let tracing = Some(crate::Tracing { collector, sampling: "2.5".parse().unwrap() });
    let settings = Settings { tracing, ..Settings::default() };
    let data_plane = compile(&Resources::default(), &settings);
    let snapshot = Renderer::new(wiring()).render(&data_plane).unwrap();
    assert_eq!(data_plane.clusters, [ENGINES, PICKER, LOG, OTLP]);
    assert_eq!(names::<Cluster>(&snapshot), data_plane.clusters);
    let of_type = |url: String| snapshot.types().find(|(known, _)| **known == url).unwrap().1.to_vec();
    let has = |resource: &Resource, word: &str| {
        resource.body.value.windows(word.len()).any(|window| window == word.as_bytes())
    };
    let cluster = of_type(Cluster::type_url()).pop().unwrap();
    assert!(has(&cluster, "otel.example") && has(&cluster, "/ca.pem"));
    let listener = &of_type(Listener::type_url())[0];
    assert!(has(listener, "%FILTER_STATE(wasm.gen_ai.request.model:PLAIN)%") && has(listener, "%TRACE_ID%"));
    assert!(has(&of_type(TypedExtensionConfig::type_url())[0], "KTHENA_TRACING"));
}

#[test]
fn every_type_that_is_rendered_is_served() {
    let data_plane = compile(&Resources::default(), &Settings::default());
    let snapshot = Renderer::new(wiring()).render(&data_plane).unwrap();
    for (url, _) in snapshot.types() {
        assert!(crate::xds::TYPE_URLS.iter().any(|served| served == url), "{url}");
    }
}

#[test]
fn a_certificate_is_named_by_its_files_and_its_listener_speaks_both_protocols() {
    let tls = |certificate: &str, key: &str| crate::Tls { certificate: certificate.into(), key: key.into() };
    for (tls, watched) in
        [(tls("/tls/tls.crt", "/tls/tls.key"), Some("/tls")), (tls("/etc/certificates/a.pem", "/etc/keys/a.pem"), None)]
    {
        let settings = Settings { tls: Some(tls), ..Settings::default() };
        let snapshot = Renderer::new(wiring()).render(&compile(&Resources::default(), &settings)).unwrap();
        let of_type = |url: String| snapshot.types().find(|(known, _)| **known == url).unwrap().1[0].clone();
        let secret: Secret = unpack(&of_type(Secret::type_url()));
        let Some(secret::Type::TlsCertificate(certificate)) = secret.r#type else { panic!("a certificate") };
        let directory = certificate.watched_directory.map(|watched| watched.path);
        assert_eq!(directory.as_deref(), watched);
        for source in [certificate.certificate_chain, certificate.private_key] {
            assert!(matches!(source.unwrap().specifier, Some(data_source::Specifier::Filename(_))));
        }
        let listener: Listener = unpack(&of_type(Listener::type_url()));
        let socket = listener.filter_chains[0].transport_socket.clone().unwrap();
        let Some(transport_socket::ConfigType::TypedConfig(context)) = socket.config_type else { panic!("a context") };
        let context = DownstreamTlsContext::decode(context.value.as_slice()).unwrap().common_tls_context.unwrap();
        assert_eq!(context.alpn_protocols, ["h2", "http/1.1"]);
        assert_eq!(context.tls_certificate_sds_secret_configs[0].name, secret.name);
    }
}

#[test]
fn only_answers_of_engines_name_an_endpoint_and_only_where_the_settings_say_so() {
    for on in [false, true] {
        let settings = Settings { endpoint_header: on, ..Settings::default() };
        let table: RouteConfiguration = {
            let data_plane = compile(&Resources::default(), &settings);
            unpack(&routes::render(&data_plane))
        };
        for route in &table.virtual_hosts[0].routes {
            let named = |option: &HeaderValueOption| option.header.as_ref().unwrap().key == "x-kthena-endpoint";
            let names = route.response_headers_to_add.iter().any(named);
            assert_eq!(names, on && route.name.starts_with("engines"), "{}", route.name);
        }
    }
}

#[test]
fn an_endpoint_carries_every_model_server_it_belongs_to() {
    let address = "[fd00::1]:8000".parse().unwrap();
    let servers = vec!["default/a".to_owned(), "default/b".to_owned()];
    let assignment: ClusterLoadAssignment = unpack(&endpoints::render(&[EngineEndpoint {
        address,
        pod: "default/p".to_owned(),
        servers,
        transport: Transport::Plain,
    }]));
    let endpoint = &assignment.endpoints[0].lb_endpoints[0];
    let Some(lb_endpoint::HostIdentifier::Endpoint(host)) = &endpoint.host_identifier else { panic!("an address") };
    assert_eq!(host.address, Some(socket_address(address)));
    let tags = &endpoint.metadata.as_ref().unwrap().filter_metadata["envoy.lb"].fields["ms"];
    let Some(Kind::ListValue(list)) = &tags.kind else { panic!("a list") };
    let list: Vec<_> = list.values.iter().map(|value| value.kind.clone().unwrap()).collect();
    assert_eq!(list, [Kind::StringValue("default/a".into()), Kind::StringValue("default/b".into())]);
}

#[test]
fn every_back_off_class_has_its_route_before_the_one_that_takes_the_rest() {
    let idle = std::time::Duration::from_secs(7);
    let settings = Settings { max_request_body_bytes: 1000, stream_idle_timeout: idle, ..Settings::default() };
    let table: RouteConfiguration = unpack(&routes::render(&compile(&Resources::default(), &settings)));
    let host = &table.virtual_hosts[0];
    assert_eq!(host.request_body_buffer_limit.as_ref().unwrap().value, 1000 + (1 << 20));
    let engines: Vec<_> = host
        .routes
        .iter()
        .filter_map(|route| match &route.action {
            Some(route::Action::Route(action)) if route.name.starts_with("engines") => Some((route, action)),
            _ => None,
        })
        .collect();
    assert_eq!(engines.len(), BackoffClass::ALL.len() + 1);
    let (rest, rest_action) = engines.last().unwrap();
    assert!(rest.r#match.as_ref().unwrap().headers.is_empty());
    assert_eq!(host.routes.last().unwrap().name, rest.name);
    assert_eq!(rest_action.timeout, duration(std::time::Duration::ZERO), "streams are not cut");
    for (_, action) in &engines {
        assert_eq!(action.idle_timeout, duration(std::time::Duration::from_secs(7)), "but where they hang");
    }
    for (_, action) in &engines {
        let named = &action.retry_policy.as_ref().unwrap().retriable_headers;
        let range = |matcher: &HeaderMatcher| match &matcher.header_match_specifier {
            Some(HeaderMatchSpecifier::RangeMatch(range)) if matcher.name == ":status" => (range.start, range.end),
            other => panic!("{other:?}"),
        };
        assert_eq!(named.iter().map(range).collect::<Vec<_>>(), [(500, 501), (502, 600)], "each 5xx but 501");
    }
    for ((_, action), class) in engines.iter().zip(BackoffClass::ALL) {
        let pause = action.retry_policy.as_ref().unwrap().retry_back_off.as_ref().unwrap();
        assert_eq!(pause.base_interval, duration(2 * class.interval()));
    }
}

#[test]
fn what_users_do_not_touch_keeps_its_bytes() {
    let mut renderer = Renderer::new(wiring());
    let mut data_plane = compile(&Resources::default(), &Settings::default());
    let cache = crate::xds::Cache::new();
    cache.publish(&renderer.render(&data_plane).unwrap());
    data_plane.table.version = 2;
    cache.publish(&renderer.render(&data_plane).unwrap());
    let versions: Vec<_> = cache.status().into_iter().filter(|(_, status)| status.offered > 1).collect();
    assert_eq!(versions.len(), 1, "{versions:?}");
    assert_eq!(versions[0].0, TypedExtensionConfig::type_url());
}
