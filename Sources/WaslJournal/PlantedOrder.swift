/// A known bug in the order of things, for tests that show that they would see it: in the very pumps that production runs.
package enum PlantedOrder: Sendable {
    /// A delivery is acknowledged, and then committed: a failing disk loses it.
    case acknowledgesBeforeCommit
    /// A message counts as with the broker once it was handed over: one that the broker refuses is lost.
    case confirmsWhenPublished
}
