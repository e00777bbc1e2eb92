//! keepalived's words, by the block that they stand in.

/// A kind of block: which words it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// Outside of all blocks.
    Top,
    /// `global_defs`.
    Globals,
    /// `vrrp_instance`.
    Instance,
    /// `vrrp_script`.
    Script,
    /// `vrrp_track_process`.
    Process,
    /// `track_file` and `vrrp_track_file` at the top.
    File,
    /// `vrrp_sync_group`.
    Group,
    /// `authentication`.
    Authentication,
    /// A block whose lines are no keywords: addresses, names, routes.
    List,
    /// A block that is passed over, whatever is in it.
    Other,
}

/// Top-level blocks that vipwarden reads.
const TOP: &[(&str, Context)] = &[
    ("global_defs", Context::Globals),
    ("vrrp_instance", Context::Instance),
    ("vrrp_script", Context::Script),
    ("vrrp_sync_group", Context::Group),
    ("vrrp_track_process", Context::Process),
    ("track_process", Context::Process),
    ("vrrp_track_file", Context::File),
    ("track_file", Context::File),
    ("virtual_server", Context::Other),
    ("virtual_server_group", Context::Other),
    ("local_address_group", Context::Other),
    ("static_ipaddress", Context::List),
    ("static_routes", Context::List),
    ("static_rules", Context::List),
    ("static_track_group", Context::Other),
    ("track_group", Context::Other),
    ("bfd_instance", Context::Other),
    ("garp_group", Context::Other),
    ("interface_up_down_delays", Context::List),
    ("linkbeat_interfaces", Context::List),
    ("SSL", Context::Other),
];

/// Top-level words without a block.
const TOP_WORDS: &[&str] = &[
    "net_namespace",
    "net_namespace_ipvs",
    "namespace_with_ipsets",
    "instance",
    "use_pid_dir",
    "linkbeat_use_polling",
    "child_wait_time",
    "include_check",
    "config_test",
    "debug",
];

const GLOBALS: &[&str] = &[
    "router_id",
    "vrrp_version",
    "vrrp_startup_delay",
    "vrrp_strict",
    "vrrp_check_unicast_src",
    "vrrp_mcast_group4",
    "vrrp_mcast_group6",
    "vrrp_garp_master_delay",
    "vrrp_garp_master_repeat",
    "vrrp_garp_master_refresh",
    "vrrp_garp_master_refresh_repeat",
    "vrrp_garp_lower_prio_delay",
    "vrrp_garp_lower_prio_repeat",
    "vrrp_garp_interval",
    "vrrp_gna_interval",
    "vrrp_garp_extra_if",
    "vrrp_min_garp",
    "vrrp_down_timer_adverts",
    "vrrp_lower_prio_no_advert",
    "vrrp_higher_prio_send_advert",
    "vrrp_skip_check_adv_addr",
    "vrrp_notify_fifo",
    "vrrp_notify_fifo_script",
    "vrrp_notify_priority_changes",
    "vrrp_iptables",
    "vrrp_ipsets",
    "vrrp_priority",
    "vrrp_no_swap",
    "vrrp_rt_priority",
    "vrrp_rlimit_rttime",
    "vrrp_cpu_affinity",
    "vrrp_process_name",
    "vrrp_rx_bufs_policy",
    "vrrp_rx_bufs_multiplier",
    "vrrp_netlink_cmd_rcv_bufs",
    "vrrp_netlink_cmd_rcv_bufs_force",
    "vrrp_netlink_monitor_rcv_bufs",
    "vrrp_netlink_monitor_rcv_bufs_force",
    "script_user",
    "enable_script_security",
    "notify_fifo",
    "notify_fifo_script",
    "dynamic_interfaces",
    "default_interface",
    "disable_local_igmp",
    "nftables",
    "nftables_priority",
    "nftables_counters",
    "nftables_ifindex",
    "notification_email_from",
    "smtp_server",
    "smtp_helo_name",
    "smtp_connect_timeout",
    "smtp_alert",
    "smtp_alert_vrrp",
    "smtp_alert_checker",
    "no_email_faults",
    "checker_log_all_failures",
    "startup_script",
    "startup_script_timeout",
    "shutdown_script",
    "shutdown_script_timeout",
    "lvs_sync_daemon",
    "lvs_timeouts",
    "lvs_flush",
    "lvs_flush_on_stop",
    "lvs_notify_fifo",
    "lvs_notify_fifo_script",
    "process_names",
    "process_name",
    "checker_process_name",
    "bfd_process_name",
    "checker_priority",
    "bfd_priority",
    "checker_no_swap",
    "bfd_no_swap",
    "checker_rt_priority",
    "bfd_rt_priority",
    "checker_rlimit_rttime",
    "bfd_rlimit_rttime",
    "checker_cpu_affinity",
    "bfd_cpu_affinity",
    "max_auto_priority",
    "min_auto_priority_delay",
    "snmp_socket",
    "enable_snmp_vrrp",
    "enable_snmp_checker",
    "enable_snmp_rfc",
    "enable_snmp_rfcv2",
    "enable_snmp_rfcv3",
    "enable_traps",
    "enable_snmp_keepalived",
    "enable_dbus",
    "dbus_service_name",
    "fifo_write_vrrp_states_on_reload",
    "process_monitor_rcv_bufs",
    "process_monitor_rcv_bufs_force",
    "rs_init_notifies",
    "no_checker_emails",
    "umask",
    "tmp_config_directory",
    "config_save_dir",
    "reload_check_config",
    "reload_time_file",
    "reload_repeat",
    "reload_file",
    "json_version",
    "random_seed",
    "data_use_instance",
    "default_interface",
];

const INSTANCE: &[&str] = &[
    "state",
    "interface",
    "virtual_router_id",
    "priority",
    "advert_int",
    "version",
    "mcast_src_ip",
    "unicast_src_ip",
    "mcast_dst_ip",
    "unicast_ttl",
    "unicast_fault_no_peer",
    "check_unicast_src",
    "track_src_ip",
    "old_unicast_checksum",
    "use_vmac",
    "use_vmac_addr",
    "vmac_xmit_base",
    "use_ipvlan",
    "native_ipv6",
    "vrf",
    "dont_track_primary",
    "linkbeat_use_polling",
    "garp_master_delay",
    "garp_master_repeat",
    "garp_master_refresh",
    "garp_master_refresh_repeat",
    "garp_lower_prio_delay",
    "garp_lower_prio_repeat",
    "garp_extra_if",
    "down_timer_adverts",
    "lower_prio_no_advert",
    "higher_prio_send_advert",
    "promote_secondaries",
    "accept",
    "no_accept",
    "nopreempt",
    "preempt",
    "preempt_delay",
    "strict_mode",
    "debug",
    "lvs_sync_daemon_interface",
    "notify_master",
    "notify_backup",
    "notify_fault",
    "notify_stop",
    "notify_deleted",
    "notify_master_rx_lower_pri",
    "notify",
    "notify_priority_changes",
    "smtp_alert",
    "kernel_rx_buf_size",
    "configure_if_group",
    "skip_check_adv_addr",
];

const INSTANCE_BLOCKS: &[(&str, Context)] = &[
    ("authentication", Context::Authentication),
    ("virtual_ipaddress", Context::List),
    ("virtual_ipaddress_excluded", Context::List),
    ("virtual_routes", Context::List),
    ("virtual_rules", Context::List),
    ("unicast_peer", Context::List),
    ("track_interface", Context::List),
    ("track_script", Context::List),
    ("track_process", Context::List),
    ("track_file", Context::List),
    ("track_bfd", Context::List),
];

const GROUP_BLOCKS: &[(&str, Context)] = &[
    ("group", Context::List),
    ("track_interface", Context::List),
    ("track_script", Context::List),
    ("track_process", Context::List),
    ("track_file", Context::List),
    ("track_bfd", Context::List),
];

const GROUP: &[&str] = &[
    "notify_master",
    "notify_backup",
    "notify_fault",
    "notify_stop",
    "notify_deleted",
    "notify",
    "notify_priority_changes",
    "smtp_alert",
    "global_tracking",
    "sync_group_tracking_weight",
];

const SCRIPT: &[&str] = &["script", "interval", "timeout", "weight", "rise", "fall", "user", "init_fail"];

const PROCESS: &[&str] = &[
    "process",
    "param_match",
    "weight",
    "quorum",
    "quorum_max",
    "delay",
    "fork_delay",
    "terminate_delay",
    "full_command",
];

const FILE: &[&str] = &["file", "weight", "init_file"];

const GLOBALS_BLOCKS: &[(&str, Context)] = &[("notification_email", Context::List)];

const AUTHENTICATION: &[&str] = &["auth_type", "auth_pass"];

impl Context {
    fn blocks(self) -> &'static [(&'static str, Self)] {
        match self {
            Self::Top => TOP,
            Self::Globals => GLOBALS_BLOCKS,
            Self::Instance => INSTANCE_BLOCKS,
            Self::Group => GROUP_BLOCKS,
            _ => &[],
        }
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Top => TOP_WORDS,
            Self::Globals => GLOBALS,
            Self::Instance => INSTANCE,
            Self::Group => GROUP,
            Self::Script => SCRIPT,
            Self::Process => PROCESS,
            Self::File => FILE,
            Self::Authentication => AUTHENTICATION,
            Self::List | Self::Other => &[],
        }
    }

    /// The kind of block that `word` opens here, if it opens one.
    pub(super) fn opens(self, word: &str) -> Option<Self> {
        self.blocks().iter().find(|(name, _)| *name == word).map(|(_, context)| *context)
    }

    /// True if `word` begins a line or a block here.
    pub(super) fn knows(self, word: &str) -> bool {
        self.words().contains(&word) || self.opens(word).is_some()
    }

    /// All that it knows.
    pub(super) fn all(self) -> impl Iterator<Item = &'static str> {
        self.words().iter().copied().chain(self.blocks().iter().map(|(name, _)| *name))
    }

    /// True if lines that are no keywords belong here.
    pub(super) const fn is_free(self) -> bool {
        matches!(self, Self::List | Self::Other)
    }
}
