import Foundation
public import Hummingbird
import Synchronization
import WaslModel

/// A simulated agency: a real HTTP server that speaks its own wire format, with code of its own.
public protocol SimulatedAgency: Sendable {
    static var id: String { get }
    func addRoutes(to router: Router<BasicRequestContext>)
}

/// What every simulated agency has: its oracle, its faults, and the memory of what it did.
public final class SimulatedOffice: Sendable {
    /// What was done under a reference.
    struct Payment: Sendable {
        let receipt: String
        /// What it was asked for, where its lists repeat that.
        var detail: JSONObject = [:]
    }

    private struct State {
        var calls: [String: Int] = [:]
        var payments: [String: [Payment]] = [:]
        var looks: [String: Int] = [:]
        var extraFault: FaultPlan.Fault?
        var firstCallWaiters: [String: [CheckedContinuation<Void, Never>]] = [:]
    }

    let agency: String
    private let log: EffectsLog
    private let plan: FaultPlan
    private let state: Mutex<State>

    /// What it had done before this start.
    let history: [EffectsLog.Line]
    /// What callers must know; `nil` where anybody may call.
    let secret: String?

    /// Takes up where the log ends.
    public init(agency: String, logPath: String, plan: FaultPlan, secret: String? = nil) throws {
        self.agency = agency
        self.plan = plan
        self.secret = secret
        history = try EffectsLog.read(path: logPath)
        var state = State()
        for line in history {
            state.calls[line.reference, default: 0] += 1
            if let receipt = line.receipt {
                state.payments[line.reference, default: []].append(Payment(receipt: receipt, detail: line.detail ?? [:]))
            }
        }
        self.state = Mutex(state)
        log = try EffectsLog(path: logPath)
    }

    public func close() { log.close() }

    /// Makes every call from now on meet this fault; `nil` goes back to the plan.
    public func force(_ fault: FaultPlan.Fault?) { state.withLock { $0.extraFault = fault } }

    /// The fault that every call meets now; `nil` where the plan decides.
    public var forced: FaultPlan.Fault? { state.withLock { $0.extraFault } }

    /// Calls taken and things done, since the log began.
    public var counts: (calls: Int, effects: Int) {
        state.withLock { state in
            (state.calls.values.reduce(0, +), state.payments.values.reduce(0) { $0 + $1.count })
        }
    }

    /// How often a reference was called about.
    public func callCount(_ reference: String) -> Int { state.withLock { $0.calls[reference] ?? 0 } }

    /// Returns once the first call about a reference is being served under its fault.
    public func firstCall(_ reference: String) async {
        await withCheckedContinuation { continuation in
            let hasCome = state.withLock { state in
                if state.calls[reference] != nil { return true }
                state.firstCallWaiters[reference, default: []].append(continuation)
                return false
            }
            if hasCome { continuation.resume() }
        }
    }

    /// Takes a call of an operation as every agency does: checks its fields, knows its keys, refuses or serves.
    ///
    /// - Parameters:
    ///   - render: the answer that the agency gives to what was done, repeated or not.
    ///   - fail: an error of the agency's own form: a status and a code.
    func take(
        _ operation: SimulatedOperation, _ values: JSONObject, malformed: Response, unknownStatus: HTTPResponse.Status,
        acted: @Sendable (String) -> Void = { _ in }, render: @escaping @Sendable (JSONObject) -> Response,
        fail: @Sendable (HTTPResponse.Status, String) -> Response
    ) async throws -> Response {
        if let wrong = operation.wrongField(values) { return fail(.badRequest, "REQUETE_INVALIDE \(wrong)") }
        let reference = values[operation.reference]?.string ?? ""
        if let known = operation.known, values[known.field]?.string?.hasSuffix("000") == true { return fail(unknownStatus, known.code) }
        if operation.isKeyed, let done = payments(reference).first { return render(operation.answer(self, done.receipt, reference)) }
        if let refusal = operation.refusal, refuses(reference) { return fail(unknownStatus, refusal) }
        return try await serve(
            operation.name, reference: reference, acts: operation.acts, malformed: malformed,
            serverError: fail(.internalServerError, "ERREUR_INTERNE"), maintenance: fail(.serviceUnavailable, "MAINTENANCE"),
            detail: JSONObject(operation.detail.members + operation.listed.compactMap { name in values[name].map { (name, $0) } }),
            acted: acted
        ) { receipt in render(operation.answer(self, receipt, reference)) }
    }

    /// What people have decided about a case: nothing before it has been asked about three times.
    func decision(_ reference: String) -> Bool? {
        let looks = state.withLock { state in
            state.looks[reference, default: 0] += 1
            return state.looks[reference] ?? 0
        }
        return looks < 3 ? nil : number(reference) % 3 != 0
    }

    func payments(_ reference: String) -> [Payment] { state.withLock { $0.payments[reference] ?? [] } }

    func refuses(_ reference: String) -> Bool { plan.refuses(reference) }

    /// The amount that a bill is for, or when it is due: the same at every look.
    func number(_ text: String) -> UInt64 { plan.number(text, salt: 9) }

    /// Serves one call under its fault.
    ///
    /// - Parameters:
    ///   - acts: whether serving it changes anything; the effect is on disk before any answer leaves.
    ///   - answer: makes the answer, given the receipt number of the effect.
    func serve(
        _ operation: String, reference: String, acts: Bool, malformed: Response, serverError: Response, maintenance: Response,
        detail: JSONObject = [:], acted: (String) -> Void = { _ in }, answer: (String) -> Response
    ) async throws -> Response {
        let (isFirst, forced, waiters) = state.withLock { state in
            let count = state.calls[reference, default: 0]
            state.calls[reference] = count + 1
            return (count == 0, state.extraFault, state.firstCallWaiters.removeValue(forKey: reference) ?? [])
        }
        for waiter in waiters { waiter.resume() }
        try await Task.sleep(for: plan.latency(for: reference))
        let now = Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
        let dark: FaultPlan.Fault? = plan.isDark(agency, at: now) ? .dark : nil
        let fault = forced ?? dark ?? (isFirst ? plan.fault(for: reference) : nil)
        if fault == .maintenance || fault == .errorBeforeActing || fault == .dark {
            await log.append(
                .init(agency: agency, operation: operation, reference: reference, receipt: nil, fault: fault?.rawValue))
            return fault == .dark ? SimulatedOffice.brokenResponse : fault == .maintenance ? maintenance : serverError
        }
        let receipt = acts ? "\(agency.uppercased())-\(UInt32.random(in: 1_000_000...UInt32.max))" : nil
        if acts || fault != nil {
            await log.append(
                .init(
                    agency: agency, operation: operation, reference: reference, receipt: receipt, fault: fault?.rawValue,
                    detail: detail.isEmpty ? nil : detail))
        }
        if let receipt {
            state.withLock { $0.payments[reference, default: []].append(Payment(receipt: receipt, detail: detail)) }
            acted(receipt)
        }
        switch fault {
        case .errorAfterActing: return serverError
        case .timeoutAfterActing:
            try await Task.sleep(for: .seconds(8))
            return answer(receipt ?? "")
        case .lostConnectionAfterActing: return SimulatedOffice.brokenResponse
        case .malformedAnswerAfterActing: return malformed
        default: return answer(receipt ?? "")
        }
    }

    /// Promises a body and breaks off: the caller sees the connection end.
    private static var brokenResponse: Response {
        Response(
            status: .ok, headers: [.contentLength: "1000"],
            body: ResponseBody(contentLength: 1000) { writer in
                try await writer.write(ByteBuffer(string: "{"))
                throw BrokenConnection()
            })
    }
}

struct BrokenConnection: Error {}

extension Response {
    static func simulated(_ status: HTTPResponse.Status, _ json: JSON) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes)))
    }
}

/// Every simulated agency by its name.
public let simulatedAgencies: [String: @Sendable (SimulatedOffice) -> any SimulatedAgency] = [
    SimulatedSteg.id: { SimulatedSteg($0) }, SimulatedSonede.id: { SimulatedSonede($0) }, SimulatedTT.id: { SimulatedTT($0) },
    SimulatedCNSS.id: { SimulatedCNSS($0) }, SimulatedCNRPS.id: { SimulatedCNRPS($0) }, SimulatedCNAM.id: { SimulatedCNAM($0) },
    SimulatedEID.id: { SimulatedEID($0) }, SimulatedPoste.id: { SimulatedPoste($0) },
]
