//! ECDS: the filter with its table.

use super::NAME;
use crate::xds::Resource;
use envoy_types::pb::envoy::config::core::v3::{
    AsyncDataSource, DataSource, TypedExtensionConfig, async_data_source, data_source,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    EnvironmentVariables, FailurePolicy, PluginConfig, VmConfig, plugin_config,
};
use envoy_types::pb::google::protobuf::{BoolValue, BytesValue};
use envoy_types::util::pack_any;
use kthena_core::routing::Table;
use kthena_core::wire;
use std::path::Path;

pub(super) fn render(table: &Table, wasm: &Path, traced: bool) -> Result<Resource, String> {
    let bytes = table.encode().map_err(|error| format!("routing table: {error}"))?;
    let module = DataSource {
        specifier: Some(data_source::Specifier::Filename(wasm.display().to_string())),
        ..Default::default()
    };
    let plugin = PluginConfig {
        name: NAME.to_owned(),
        root_id: NAME.to_owned(),
        configuration: Some(pack_any(BytesValue { value: bytes })),
        // A VM that trapped is replaced by the next request, not left to answer 503 for ever.
        failure_policy: FailurePolicy::FailReload.into(),
        // Without it a paused header callback gets no body callbacks, and the request hangs.
        allow_on_headers_stop_iteration: Some(BoolValue { value: true }),
        vm: Some(plugin_config::Vm::VmConfig(VmConfig {
            // One identifier for every version of the table: they share the VM, which keeps the last.
            vm_id: NAME.to_owned(),
            runtime: "envoy.wasm.runtime.v8".to_owned(),
            code: Some(AsyncDataSource { specifier: Some(async_data_source::Specifier::Local(module)) }),
            environment_variables: traced.then(|| EnvironmentVariables {
                key_values: [(wire::TRACING.to_owned(), "1".to_owned())].into(),
                ..Default::default()
            }),
            ..Default::default()
        })),
        ..Default::default()
    };
    let typed_config = Some(pack_any(Wasm { config: Some(plugin) }));
    Ok((NAME, TypedExtensionConfig { name: NAME.to_owned(), typed_config }).into())
}
