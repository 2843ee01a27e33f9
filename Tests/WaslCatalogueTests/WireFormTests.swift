import TestSupport
import Testing
import WaslModel

@testable import WaslCatalogue

@Suite struct XMLTreeTests {
    @Test func elementsBecomeMembersByLocalName() throws {
        let xml = "<a:r xmlns:a=\"u\" x=\"1\"><a:b>t &amp; u</a:b><c/><c>2</c></a:r>"
        #expect(try XMLTree.parse(Array(xml.utf8)) == ["r": ["@x": "1", "b": "t & u", "c": ["", "2"]]])
    }

    @Test func anElementWithAttributesKeepsItsText() throws {
        #expect(try XMLTree.parse(Array("<r><t xml:lang=\"fr\"> oui </t></r>".utf8)) == ["r": ["t": ["@lang": "fr", "#text": "oui"]]])
    }

    @Test(arguments: [
        ("<a><!--x--><![CDATA[y]]></a>", "y"), ("<a><?x z?><![CDATA[y]]></a>", "y"), ("<a>x<!--c--> y</a>", "x y"),
        ("<a><!--x--><!--z-->y</a>", "y"),
    ]) func whatFollowsACommentIsTextLikeAnyOther(_ xml: String, _ text: String) throws {
        #expect(try XMLTree.parse(Array(xml.utf8)) == ["a": .string(text)])
    }

    @Test(arguments: [
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a>", "<a></b>", "", "text",
        "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]><lolz>&lol2;</lolz>",
        String(repeating: "<a>", count: 200) + String(repeating: "</a>", count: 200),
    ])
    func documentTypesAndBrokenXMLAreRefused(_ xml: String) { #expect(throws: (any Error).self) { try XMLTree.parse(Array(xml.utf8)) } }

    @Test func aBodyIsEscapedIntoItsEnvelope() throws {
        let bytes = SOAP.envelope(["P": ["@xmlns": "u", "N": "<&\">", "M": 5]])
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("<P xmlns=\"u\"><N>&lt;&amp;&quot;&gt;</N><M>5</M></P>"))
        #expect(try XMLTree.parse(bytes)["Envelope"]?["Body"]?["P"]?["N"] == "<&\">")
    }

    @Test func whatXMLCannotSayIsReplacedRatherThanSent() throws {
        let bytes = try WireForm.restXML.encode(["a": "x\u{1}\u{FFFF}y"]).bytes
        #expect(try XMLTree.parse(bytes)["a"] == "x\u{FFFD}\u{FFFD}y")
    }
}

@Suite struct WireFormTests {
    @Test(arguments: WireForm.allCases.filter { $0 != .desk }) func whatIsWrittenIsReadAgain(_ form: WireForm) throws {
        let fields: JSON = ["cin": "01234567", "texte": "a&b=c d+é\"<ع>"]
        let body: JSON = form == .restJSON || form == .form ? fields : ["demande": fields]
        let read = form.decode(try form.encode(body).bytes)
        switch form {
        case .soap11, .soap12: #expect(read["Envelope"]?["Body"] == body)
        default: #expect(read == body)
        }
    }

    @Test(arguments: [
        (WireForm.form, "a=1&a=2"), (.form, "<html>no</html>"), (.form, "a=%zz"), (.form, "alone"), (.restJSON, "{"),
        (.restXML, "<a>"), (.soap12, "not xml"),
    ]) func whatIsNotOfTheFormIsSaidToBeUnreadable(_ form: WireForm, _ text: String) {
        #expect(form.decode(Array(text.utf8)) == ["unreadable": true])
    }

    @Test func aBodyThatHasNoSuchFormIsNamed() {
        #expect(throws: CallError.self) { try WireForm.restXML.encode(["a": 1, "b": 2]) }
        #expect(throws: CallError.self) { try WireForm.form.encode(["a": 1]) }
    }
}

@Suite struct NationalFormatTests {
    @Test func theKeyOfAnAccountNumberIsChecked() {
        #expect(NationalFormats.isRIB("07040005810111129653"))
        for wrong in ["07040005810111129654", "0704000581011112965", "0704000581011112965a", "07040005810111129635"] {
            #expect(!NationalFormats.isRIB(wrong))
        }
    }

    @Test func theLetterOfATaxNumberIsChecked() {
        for right in ["0789012H", "0789012H/A/M/000", "0789012H/N/E/123"] { #expect(NationalFormats.isTaxNumber(right), "\(right)") }
        for wrong in ["0789012A", "0789012H/Z/M/000", "0789012H/A/Z/000", "0789012H/A/M/00", "0789012h", "789012H", "0789012H/A"] {
            #expect(!NationalFormats.isTaxNumber(wrong), "\(wrong)")
        }
    }

    @Test func phonesAndCardsHaveEightDigits() {
        #expect(NationalFormats.isPhone("20123456") && NationalFormats.isPhone("71234567"))
        #expect(!NationalFormats.isPhone("61234567") && !NationalFormats.isPhone("+21620123456") && !NationalFormats.isPhone("2012345"))
        #expect(NationalFormats.all["cin"]!.isValid("01234567"))
        #expect(!NationalFormats.all["cin"]!.isValid("0123456٧"))
    }

    @Test func moneyIsWholeMillimes() {
        let format = NationalFormats.all["millimes"]!
        #expect(format.isValid(1500) && format.isValid(0))
        for wrong: JSON in [.number(1.5), -1, "1500"] { #expect(!format.isValid(wrong)) }
    }
}

@Suite struct WorkingCalendarTests {
    private func calendar() throws -> WorkingCalendar { try WorkingCalendar(file: TestWorld.project + "/Schemas/facts/calendar.yaml") }
    private func due(_ days: Int, _ from: String) throws -> String {
        try calendar().due(.workingDays(days), from: Timestamp(from)!).description
    }

    @Test func workingDaysEndWhenOfficesCloseOnTheLastOfThem() throws {
        // Monday to Tuesday; offices close at 17:30, an hour before that in UTC.
        #expect(try due(1, "2026-11-23T09:00:00Z") == "2026-11-24T16:30:00.000Z")
        // Friday to Monday, over the weekend.
        #expect(try due(1, "2026-11-27T09:00:00Z") == "2026-11-30T16:30:00.000Z")
        // The feast of 17 December does not count.
        #expect(try due(1, "2026-12-16T09:00:00Z") == "2026-12-18T16:30:00.000Z")
        // Summer closes earlier.
        #expect(try due(2, "2026-07-06T09:00:00Z") == "2026-07-08T13:30:00.000Z")
    }

    @Test func midnightIsTheCountrysNotUTCs() throws {
        // 23:30 UTC on Sunday is already Monday.
        #expect(try due(1, "2026-11-22T23:30:00Z") == "2026-11-24T16:30:00.000Z")
    }

    @Test func whatIsClosedOpensAtTheNextOpening() throws {
        let calendar = try calendar()
        func opening(_ text: String) -> String { calendar.nextOpening(from: Timestamp(text)!).description }
        #expect(opening("2026-11-23T09:00:00Z") == "2026-11-23T09:00:00.000Z")
        #expect(opening("2026-11-23T11:45:00Z") == "2026-11-23T12:30:00.000Z")
        #expect(opening("2026-11-27T20:00:00Z") == "2026-11-30T07:30:00.000Z")
    }

    @Test func aMachinesTimeRunsThroughNightsAndFeasts() throws {
        let start = Timestamp("2026-11-28T09:00:00Z")!
        #expect(try calendar().due(.elapsed(.seconds(30)), from: start) == start.advanced(by: .seconds(30)))
    }
}
