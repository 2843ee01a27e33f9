/// A known bug of the ledger, for a simulation that shows that its checkers see it: each takes one defence away.
package enum PlantedLedgerBug: Sendable {
    /// Whoever speaks of a request is believed.
    case anyAgencyBelieved
    /// A word of somebody who is not entitled is named, and believed all the same.
    case namedAndBelieved
    /// Any house's word closes what is open about a delivery.
    case anyHouseDelivers
    /// A second request under a number takes the place of the first.
    case secondRequestOverwrites
    /// Words under another's epoch are taken.
    case foreignLaneTaken
    /// What a message says of itself decides whom a refusal is filed against.
    case claimedSourceBlamed
    /// A beat that is played again counts.
    case oldBeatsCount
    case timesUnchecked
    /// Every lie of a flood gets a finding of its own.
    case floodListed
    case collisionUnnamed
    case epochsUnexplained
}
