/// How many connections a server holds, and how long each may take over what it does.
public struct ConnectionLimits: Sendable {
    /// In all. One that waits for a request makes room for a newcomer.
    public var connectionsMax = 1_024
    /// From one address. Everybody behind a proxy has the proxy's.
    public var byAddressMax = 256
    /// From the connection's beginning to its first whole request head.
    public var head: Duration = .seconds(10)
    /// From a request's head to the end of its body.
    public var body: Duration = .seconds(120)
    /// Without a request after an answer, or with an answer that the other side does not read. Longer than clients keep idle connections,
    /// so that it is they who close them.
    public var idle: Duration = .seconds(75)

    public init() {}

    /// Past the limits so many more are let in, for health alone.
    static let healthReserve = 16
    /// Accepted and not counted yet, or closed and not gone yet.
    static let transientMax = 64
    /// What journal, broker, translator and the loading of files need beside connections.
    static let otherDescriptors = 176

    /// The same limits, made to fit into the descriptors that the process may open.
    func fitting(descriptors: Int) -> ConnectionLimits {
        var fitted = self
        let room = descriptors - ConnectionLimits.healthReserve - ConnectionLimits.transientMax - ConnectionLimits.otherDescriptors
        fitted.connectionsMax = max(16, min(connectionsMax, room))
        return fitted
    }

    /// Accepting pauses here, until what is being closed is gone.
    var acceptedMax: Int { connectionsMax + ConnectionLimits.healthReserve + ConnectionLimits.transientMax }
}
