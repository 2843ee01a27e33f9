public import Hummingbird
import HummingbirdCore
public import Logging
import ServiceLifecycle

/// Runs an HTTP server until the task is cancelled or the process is asked to stop.
public enum Server {
    /// - Parameter ready: called with the port once it listens.
    public static func run<Context: RequestContext>(
        _ router: Router<Context>, host: String, port: Int, limits: ConnectionLimits = ConnectionLimits(), logger: Logger,
        ready: @escaping @Sendable (Int) async -> Void
    ) async throws where Context.Source == ApplicationRequestContextSource {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let descriptors = Descriptors.raise()
        let fitting = limits.fitting(descriptors: descriptors)
        if fitting.connectionsMax < limits.connectionsMax {
            quiet.warning(
                "fewer connections than configured: the process may open too few files; raise its limit (ulimit -n, LimitNOFILE)",
                metadata: [
                    "files": "\(descriptors)", "configured": "\(limits.connectionsMax)", "connections": "\(fitting.connectionsMax)",
                ])
        }
        let connections = Connections(fitting, logger: quiet)
        let application = Application(
            router: router,
            server: .http1(configuration: .init(additionalChannelHandlers: [ConnectionWatch(connections)])),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), serverName: nil, backlog: 2_048,
                availableConnectionsDelegate: .maximum(fitting.acceptedMax, logger: quiet)),
            onServerRunning: { channel in await ready(channel.localAddress?.port ?? port) },
            logger: quiet)
        var configuration = ServiceGroupConfiguration(
            services: [application], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        // An event stream never ends by itself: after this it is cut.
        configuration.maximumGracefulShutdownDuration = .seconds(2)
        try await ServiceGroup(configuration: configuration).run()
    }
}
