package dev.kintsugi.pickle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.PickleBytes;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Int;
import dev.kintsugi.pickle.PickleValue.Sequence;
import dev.kintsugi.pickle.PickleValue.Text;
import dev.kintsugi.pickle.PickleValue.Tuple;
import dev.kintsugi.work.Job;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Pickles that no pickler writes. The ids are those of docs/reference/safety.md.
class HostilePickleTest {
    private static final Duration SOON = Duration.ofSeconds(10);

    private static PickleValue read(byte[] bytes) {
        return PickleMachine.read("p", bytes);
    }

    private static PickleValue read(PickleBytes bytes) {
        return read(bytes.stop());
    }

    private static Fault refused(Code code, byte[] bytes) {
        Fault fault = assertThrows(Fault.class, () -> read(bytes));
        assertEquals(code, fault.code(), fault.what());
        assertTrue(fault.what().startsWith("p: "), fault.what());
        return fault;
    }

    private static Fault refused(Code code, PickleBytes bytes) {
        return refused(code, bytes.stop());
    }

    private static List<Call> calls(PickleBytes bytes) {
        PickleMachine.Result result = PickleMachine.readAll("p", bytes.stop());
        List<Call> calls = new ArrayList<>(result.calls().values());
        calls.addAll(result.indirect());
        return calls;
    }

    @DisplayName("P-01 calls that would run a command are data")
    @ParameterizedTest
    @MethodSource("dev.kintsugi.DangerousImports#runACommand")
    @CsvSource("builtins,getattr")
    void aCallThatWouldRunACommandIsData(String module, String name) {
        Call call = assertInstanceOf(Call.class, read(PickleBytes.proto2().call(module, name, "id")));
        assertEquals(module + "." + name, call.path());
        Tuple arguments = assertInstanceOf(Tuple.class, call.arguments());
        assertEquals(List.of(new Text("id")), arguments.items());
    }

    @DisplayName("P-02 indirection through any other callable is the same data")
    @ParameterizedTest
    @MethodSource("dev.kintsugi.DangerousImports#leadToAnother")
    void indirectionIsTheSameData(String module, String name) {
        PickleBytes bytes =
                PickleBytes.proto2().call(module, name, "x").text("y").op(0x85, 'R');
        Call outer = assertInstanceOf(Call.class, read(bytes));
        Call inner = assertInstanceOf(Call.class, outer.callable());
        assertEquals("?", outer.path());
        assertEquals(module + "." + name, inner.path());
    }

    @DisplayName("P-04 a pickle within bytes is bytes")
    @Test
    void aPickleWithinBytesIsNotParsed() {
        byte[] inner = PickleBytes.proto2().op(0x82, 1).stop();
        Call call = assertInstanceOf(
                Call.class,
                read(PickleBytes.proto2()
                        .global("pickle", "loads")
                        .op('C', inner.length)
                        .raw(inner)
                        .op(0x85, 'R')));
        Tuple arguments = assertInstanceOf(Tuple.class, call.arguments());
        assertArrayEquals(
                inner,
                assertInstanceOf(PickleValue.Bytes.class, arguments.items().getFirst())
                        .value());
    }

    @DisplayName("P-05 text opcodes of protocol 0 read as in Python")
    @Test
    void textOpcodesReadAsInPython() {
        assertEquals(
                new Text("a\nb'\u00e9\\q"), read("S'a\\nb\\'\\xc3\\xa9\\q'\n.".getBytes(StandardCharsets.ISO_8859_1)));
        byte[] utf8 = {(byte) 0xc3, (byte) 0xa9};
        assertEquals(new Text("\u00e9"), read(PickleBytes.start().op('U', 2).raw(utf8)));
        assertEquals(
                new Text("\u00e9"), read(PickleBytes.start().op('T').int32(2).raw(utf8)));
        assertEquals(Int.of(0), read(PickleBytes.start().ascii("I0\n")));
        assertEquals(Int.of(-12), read(PickleBytes.start().ascii("I-12\r\n")));
        assertEquals(Int.of(0), read(PickleBytes.start().ascii("L00L\n")));
        assertEquals(new Text("\u20ac\\\\u20ac"), read("V\\u20ac\\\\u20ac\n.".getBytes(StandardCharsets.ISO_8859_1)));
        assertEquals(new PickleValue.Real(1.5), read(PickleBytes.start().ascii("F1.5\r\n")));
        assertEquals(
                new PickleValue.Real(Double.NEGATIVE_INFINITY),
                read(PickleBytes.start().ascii("F-inf\n")));
        assertEquals(new PickleValue.Bool(true), read(PickleBytes.start().ascii("I01\n")));
        assertEquals(new Int(BigInteger.TWO.pow(70)), read(PickleBytes.start().ascii("L1180591620717411303424L\n")));
        Call call = assertInstanceOf(Call.class, read(PickleBytes.start().ascii("(iposix\r\nsystem\n")));
        assertEquals("posix\r.system", call.path());
    }

    @DisplayName("P-05 broken text opcodes are refused")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "S'a\n.",
                "S'\n.",
                "Sa\n.",
                "S'\\x4'\n.",
                "S'\\'\n.",
                "V\\u12\n.",
                "V\\U99999999\n.",
                "F1.5f\n.",
                "F0x1p3\n.",
                "F\n.",
                "I1_0\n.",
                "I\n.",
                "L1LL\n.",
                "p1\n.",
                "g-1\n.",
                "cposix",
                "cposix\nsystem"
            })
    void brokenTextOpcodesAreRefused(String text) {
        refused(Code.K2201, text.getBytes(StandardCharsets.ISO_8859_1));
    }

    @DisplayName("P-06 INST and OBJ are calls, recorded even where their result is popped")
    @Test
    void callsThatArePoppedAreStillRecorded() {
        PickleBytes inst =
                PickleBytes.start().op('(').text("id").ascii("iposix\nsystem\n").op('0', 'N');
        assertEquals("posix.system", calls(inst).getFirst().path());
        PickleBytes obj =
                PickleBytes.start().op('(').global("posix", "system").text("id").op('o', '0', 'N');
        assertEquals("posix.system", calls(obj).getFirst().path());
        refused(Code.K2201, PickleBytes.start().op('(', 'o'));
    }

    @DisplayName("P-07 STACK_GLOBAL takes its names from the real memo")
    @Test
    void stackGlobalTakesItsNamesFromTheRealMemo() {
        // PUT 1 fills one slot, so MEMOIZE writes slot 1 again: a scanner that counts would still see "os".
        PickleBytes bytes = PickleBytes.start()
                .op(0x80, 4)
                .text("os")
                .op('q', 1, '0')
                .text("collections")
                .op(0x94, '0', 'h', 1)
                .text("OrderedDict")
                .op(0x93);
        PickleValue.Global global = assertInstanceOf(PickleValue.Global.class, read(bytes));
        assertEquals("collections.OrderedDict", global.path());
    }

    @DisplayName("P-08 STACK_GLOBAL with operands that are no text is refused")
    @Test
    void stackGlobalOfANumberIsRefused() {
        Fault fault = refused(
                Code.K2201, PickleBytes.start().op(0x80, 4, 'K', 42).text("os").op(0x93));
        assertTrue(fault.what().contains("at byte 12"), fault.what());
    }

    @DisplayName("P-09 a memo slot read before it is written is named")
    @Test
    void aMemoSlotReadBeforeItIsWrittenIsNamed() {
        Fault fault = refused(Code.K2201, PickleBytes.start().op('h', 5));
        assertTrue(fault.what().contains("memo slot 5 is read before it is written"), fault.what());
    }

    @DisplayName("P-10 far memo slots cost nothing")
    @Test
    void farMemoSlotsCostNothing() {
        PickleBytes bytes = PickleBytes.start()
                .op('N', 'r')
                .int32(0x7fffffff)
                .ascii("p99999999999\n")
                .op('0')
                .ascii("g99999999999\n");
        assertSame(PickleValue.None.INSTANCE, read(bytes));
        refused(Code.K2201, PickleBytes.start().op('N').ascii("p" + "9".repeat(30) + "\n"));
    }

    @DisplayName("P-11 extension opcodes are refused by name")
    @ParameterizedTest
    @ValueSource(ints = {0x82, 0x83, 0x84})
    void extensionOpcodesAreRefusedByName(int opcode) {
        Fault fault = refused(Code.K2203, PickleBytes.proto2().op(opcode, 1, 0, 0, 0));
        assertTrue(fault.what().contains("EXT"), fault.what());
    }

    @DisplayName("P-12 NEWOBJ and NEWOBJ_EX are opaque calls")
    @Test
    void newObjectsAreOpaqueCalls() {
        PickleBytes made = PickleBytes.proto2().global("evil", "Class").op(')', 0x81);
        assertEquals("evil.Class", assertInstanceOf(Call.class, read(made)).path());
        PickleBytes keywords = PickleBytes.start()
                .op(0x80, 4)
                .global("evil", "Class")
                .op(')', '}')
                .text("k")
                .op('N', 's', 0x92);
        assertEquals("evil.Class", calls(keywords).getFirst().path());
    }

    @DisplayName("P-13 BUILD keeps states as data")
    @Test
    void buildKeepsStatesAsData() {
        PickleBytes bytes = PickleBytes.proto2()
                .emptyHooks()
                .op('}', 'b', '}', '}')
                .text("__setstate__")
                .global("posix", "system")
                .op('s', 0x86, 'b');
        Call call = assertInstanceOf(Call.class, read(bytes));
        assertEquals(2, call.states().size());
        refused(Code.K2201, PickleBytes.proto2().op('}', '}', 'b'));
        refused(Code.K2201, PickleBytes.proto2().text("x").op('}', 'b'));
    }

    @DisplayName("P-14 SETITEM and APPEND on values of another type are refused")
    @Test
    void itemsOfAWrongTypeAreRefused() {
        refused(Code.K2201, PickleBytes.proto2().op('K', 1).text("k").op('N', 's'));
        refused(Code.K2201, PickleBytes.proto2().op(']').text("k").op('N', 's'));
        refused(Code.K2201, PickleBytes.proto2().op('}', 'N', 'a'));
        refused(Code.K2201, PickleBytes.proto2().op(')', 'N', 'a'));
        refused(Code.K2201, PickleBytes.proto2().op('}', '(', 'N', 'u'));
        refused(Code.K2201, PickleBytes.proto2().global("a", "b").op('(', 'N', 'e'));
        assertTrue(refused(Code.K2201, PickleBytes.proto2().op(0x8f, 'N', 'a'))
                .what()
                .endsWith("APPEND to a value that is no list"));
        refused(Code.K2201, PickleBytes.proto2().op(0x8f, '(', 'N', 'e'));
        assertTrue(refused(Code.K2201, PickleBytes.proto2().op(']', '(', 'N', 0x90))
                .what()
                .endsWith("ADDITEMS to a value that is no set"));
        refused(Code.K2201, PickleBytes.proto2().op('(', 0x91, '(', 'N', 0x90));
    }

    @DisplayName("P-18 lengths beyond the file are refused before anything is allocated")
    @Test
    void lengthsBeyondTheFileAreRefused() {
        for (int opcode : new int[] {'X', 'B', 'T'}) {
            refused(Code.K2201, PickleBytes.proto2().op(opcode).int32(Integer.MAX_VALUE));
            refused(Code.K2201, PickleBytes.proto2().op(opcode).int32(-1));
        }
        for (int opcode : new int[] {0x8c, 'U', 'C', 0x8a}) {
            refused(Code.K2201, PickleBytes.proto2().op(opcode, 200, 'x'));
        }
        for (int opcode : new int[] {0x8d, 0x8e, 0x96}) {
            refused(Code.K2201, PickleBytes.proto2().op(opcode).int64(Long.MAX_VALUE));
            refused(Code.K2201, PickleBytes.proto2().op(opcode).int64(-1));
            refused(Code.K2201, PickleBytes.proto2().op(opcode).int64(1L << 31));
        }
        refused(Code.K2201, PickleBytes.proto2().op('C', 200));
    }

    @DisplayName("P-19 numbers have a length limit")
    @Test
    void numbersHaveALengthLimit() {
        byte[] longest = new byte[Limit.INTEGER_BYTES.intValue()];
        longest[longest.length - 1] = 1;
        PickleValue read =
                read(PickleBytes.proto2().op(0x8b).int32(longest.length).raw(longest));
        assertEquals(new Int(BigInteger.ONE.shiftLeft(8 * (longest.length - 1))), read);
        refused(
                Code.K2202,
                PickleBytes.proto2().op(0x8b).int32(longest.length + 1).raw(new byte[longest.length + 1]));
        refused(Code.K2201, PickleBytes.proto2().op(0x8b).int32(-1));
        refused(Code.K2202, PickleBytes.proto2().op(0x8b).int32(64 << 20).raw(new byte[64 << 20]));
        String digits = "9".repeat(Limit.NUMBER_DIGITS.intValue());
        assertInstanceOf(Int.class, read(PickleBytes.start().ascii("I" + digits + "\n")));
        refused(Code.K2202, PickleBytes.start().ascii("I9" + digits + "\n"));
        refused(Code.K2202, PickleBytes.start().ascii("F9" + digits + "\n"));
    }

    @DisplayName("P-20 a FRAME length that lies is refused or without effect")
    @Test
    void aFrameLengthThatLiesHasNoEffect() {
        assertEquals(
                new Text("ab"),
                read(PickleBytes.start().op(0x80, 4, 0x95).int64(3).text("ab")));
        refused(Code.K2201, PickleBytes.start().op(0x80, 4, 0x95).int64(1000).text("ab"));
        refused(Code.K2201, PickleBytes.start().op(0x80, 4, 0x95).int64(-1).text("ab"));
    }

    @DisplayName("P-21 out-of-band buffers are refused by name")
    @Test
    void outOfBandBuffersAreRefused() {
        Fault fault = refused(Code.K2203, PickleBytes.start().op(0x80, 5, 0x97));
        assertTrue(fault.what().contains("NEXT_BUFFER"), fault.what());
        for (PickleBytes bytes : List.of(
                PickleBytes.start().op(0x80, 5, 0x98), PickleBytes.start().op(0x80, 5, 'N', 0x98))) {
            Fault readOnly = refused(Code.K2203, bytes);
            assertTrue(readOnly.what().contains("READONLY_BUFFER"), readOnly.what());
        }
    }

    private static byte[] good() {
        return PickleBytes.proto2()
                .op('}', 'q', 0, '(')
                .text("weight")
                .vector("0", 4)
                .text("list")
                .op(']', '(', 'K', 1, 'M', 1, 2, 'e')
                .text("real")
                .op('G', 1, 2, 3, 4, 5, 6, 7, 8, 'u')
                .stop();
    }

    @DisplayName("P-22 every prefix of a pickle is refused")
    @Test
    void everyPrefixIsRefused() {
        byte[] good = good();
        assertInstanceOf(Dict.class, read(good));
        for (int length = 0; length < good.length; length++) {
            refused(Code.K2201, Arrays.copyOf(good, length));
        }
    }

    @DisplayName("P-23 every change of one byte gives a value or a fault of ours")
    @Test
    void everyChangeOfOneByteGivesAValueOrAFault() {
        byte[] good = good();
        int values = 0;
        for (int at = 0; at < good.length; at++) {
            for (int value = 0; value < 256; value++) {
                byte[] changed = good.clone();
                changed[at] = (byte) value;
                try {
                    read(changed);
                    values++;
                } catch (Fault fault) {
                    assertTrue(List.of(Code.K2201, Code.K2202, Code.K2203).contains(fault.code()), fault.what());
                }
            }
        }
        assertTrue(values > good.length, "some changes are harmless");
    }

    @DisplayName("P-24 a byte that is no opcode is named with its offset")
    @Test
    void aByteThatIsNoOpcodeIsNamed() {
        Fault fault = refused(Code.K2203, PickleBytes.proto2().op(0x76));
        assertTrue(fault.what().contains("byte 0x76 at offset 2 is no pickle opcode"), fault.what());
    }

    @DisplayName("P-25 a pickle ends with STOP, one value and nothing behind it")
    @Test
    void aPickleEndsWithStopOneValueAndNothingBehindIt() {
        refused(Code.K2201, PickleBytes.proto2().op('N').cut());
        refused(Code.K2201, PickleBytes.proto2().op('N', 'N'));
        refused(Code.K2201, PickleBytes.proto2().op('(', 'N'));
        Fault fault = refused(
                Code.K2201, PickleBytes.proto2().op('N', '.').raw(good()).cut());
        assertTrue(fault.what().contains("bytes follow the pickle"), fault.what());
        PickleMachine.Result first = PickleMachine.readAt("p", new byte[] {'N', '.', 'N', '.'}, 0);
        assertEquals(2, first.nextOffset());
    }

    @DisplayName("P-26 underflows are refused")
    @Test
    void underflowsAreRefused() {
        for (int opcode : new int[] {
            '0', '1', '2', 0x85, 0x86, 0x87, 't', 'l', 'd', 'a', 'e', 's', 'u', 'R', 'b', 'Q', 'q', 'o', 0x81, 0x92,
            0x93, 0x94, 0x90, 0x91, '.'
        }) {
            refused(Code.K2201, PickleBytes.start().op(opcode, 0));
        }
        refused(Code.K2201, PickleBytes.start().ascii("ia\nb\n"));
        for (int opcode : new int[] {'s', 'R', 'b', 'a', 0x86, 0x92, 0x93}) {
            refused(Code.K2201, PickleBytes.start().op('}', 'N', 'N', '(', opcode));
        }
        refused(Code.K2201, PickleBytes.start().op('N', '(', 0x85));
    }

    @DisplayName("P-27 cycles and deep nesting are read without recursion")
    @Test
    void cyclesAndDeepNestingAreReadWithoutRecursion() {
        Sequence self =
                assertInstanceOf(Sequence.class, read(PickleBytes.proto2().op(']', 'q', 0, 'h', 0, 'a')));
        assertSame(self, self.items().getFirst());
        Dict dict = assertInstanceOf(
                Dict.class, read(PickleBytes.proto2().op('}', 'q', 0).text("me").op('h', 0, 's')));
        assertSame(dict, dict.get("me").orElseThrow());
        Sequence list =
                assertInstanceOf(Sequence.class, read(PickleBytes.proto2().op(']', 'q', 0, 'h', 0, 0x85, 'a')));
        assertSame(
                list,
                assertInstanceOf(Tuple.class, list.items().getFirst()).items().getFirst());
        byte[] deep = new byte[1_000_002];
        Arrays.fill(deep, (byte) 0x85);
        deep[0] = 'N';
        deep[deep.length - 1] = '.';
        assertInstanceOf(Tuple.class, assertTimeoutPreemptively(SOON, () -> read(deep)));
    }

    @DisplayName("P-28 values that hold one another are not multiplied")
    @Test
    void valuesThatHoldOneAnotherAreNotMultiplied() {
        PickleBytes laughs = PickleBytes.proto2().text("ha");
        for (int i = 0; i < 1000; i++) {
            laughs.op('2', '2', 0x87);
        }
        assertInstanceOf(Tuple.class, assertTimeoutPreemptively(SOON, () -> read(laughs)));
    }

    @DisplayName("P-29 ten million opcodes are refused beyond the limit, and can be interrupted")
    @Test
    void tenMillionOpcodesAreRefusedOrInterrupted() {
        byte[] many = new byte[10_000_002];
        for (int i = 0; i < many.length; i++) {
            many[i] = (byte) (i % 2 == 0 ? 'N' : '0');
        }
        many[many.length - 1] = '.';
        many[many.length - 2] = 'N';
        Map<Limit, Long> million = Map.of(Limit.PICKLE_OPCODES, 1_000_000L);
        Fault fault = assertThrows(Fault.class, () -> Limit.during(million, () -> read(many)));
        assertEquals(Code.K2202, fault.code());
        Thread.currentThread().interrupt();
        Fault stopped = assertThrows(Fault.class, () -> read(many));
        assertTrue(Thread.interrupted());
        assertEquals(Code.K9002, stopped.code());
        Job job = new Job(1);
        job.cancel();
        Fault cancelled = assertThrows(Fault.class, () -> job.doing(() -> read(many)));
        assertEquals(Code.K9002, cancelled.code());
    }

    @DisplayName("P-30 keys and names made to collide are read in linear time")
    @Test
    void collidingKeysAreReadInLinearTime() {
        assertTimeoutPreemptively(SOON, () -> {
            PickleBytes keys = PickleBytes.proto2().op('}', '(');
            PickleBytes globals = PickleBytes.proto2().op(']', '(');
            for (int i = 0; i < 1 << 16; i++) {
                StringBuilder name = new StringBuilder();
                for (int bit = 0; bit < 16; bit++) {
                    name.append((i >> bit & 1) == 0 ? "Aa" : "BB");
                }
                keys.text(name.toString()).op('N');
                globals.global("m", name.toString());
            }
            assertEquals(
                    1 << 16, assertInstanceOf(Dict.class, read(keys.op('u'))).size());
            assertEquals(
                    1 << 16,
                    assertInstanceOf(Sequence.class, read(globals.op('e')))
                            .items()
                            .size());
            PickleBytes unhashable = PickleBytes.proto2().op('}', '(');
            for (int i = 0; i < 100_000; i++) {
                unhashable.op(']', 'N');
            }
            assertEquals(
                    100_000,
                    assertInstanceOf(Dict.class, read(unhashable.op('u'))).size());
        });
    }

    @DisplayName("P-31 text is UTF-8 with lone surrogates; what is none is refused, not replaced")
    @Test
    void textThatIsNoUtf8IsRefused() {
        byte[] lone = {(byte) 0xed, (byte) 0xa0, (byte) 0x80};
        assertEquals(
                new Text("\ud800"), read(PickleBytes.start().op('X').int32(3).raw(lone)));
        assertEquals(new Text("\u0000\u001b[31m"), read(PickleBytes.start().text("\u0000\u001b[31m")));
        for (byte[] bad : List.of(
                new byte[] {(byte) 0xff},
                new byte[] {(byte) 0xc0, (byte) 0x80},
                new byte[] {(byte) 0xe2, (byte) 0x82},
                new byte[] {(byte) 0xf5, (byte) 0x80, (byte) 0x80, (byte) 0x80})) {
            refused(Code.K2201, PickleBytes.start().op('X').int32(bad.length).raw(bad));
        }
    }

    @DisplayName("P-31 text reads as the JDK reads it, wherever that is sound")
    @Test
    void textReadsAsTheJdkReadsIt() {
        Random random = new Random(31);
        for (int i = 0; i < 2000; i++) {
            StringBuilder text = new StringBuilder();
            for (int length = random.nextInt(8); length > 0; length--) {
                int point = random.nextInt(Character.MAX_CODE_POINT + 1) >> random.nextInt(16);
                text.appendCodePoint(point >= 0xd800 && point < 0xe000 ? 'x' : point);
            }
            assertEquals(new Text(text.toString()), read(PickleBytes.start().text(text.toString())), "seed 31, " + i);
        }
    }

    @DisplayName("P-32 a key set twice keeps the later value and is remembered")
    @Test
    void aKeySetTwiceIsRemembered() {
        Dict dict = assertInstanceOf(
                Dict.class,
                read(PickleBytes.proto2()
                        .op('}', '(')
                        .text("a")
                        .op('K', 1)
                        .text("a")
                        .op('K', 2, 'u')));
        assertEquals(Int.of(2), dict.get("a").orElseThrow());
        assertEquals(List.of("a"), List.copyOf(dict.repeated()));
    }

    private static void limit(Limit limit, long value, byte[] within, byte[] beyond) {
        Limit.during(Map.of(limit, value), () -> {
            read(within);
            Fault fault = refused(Code.K2202, beyond);
            assertTrue(fault.what().endsWith("the limit is " + value), fault.what());
            assertTrue(fault.next().contains("set limit." + limit.label()), fault.next());
            return value;
        });
    }

    private static byte[] pairs(int opcodes, int first, int second) {
        PickleBytes bytes = PickleBytes.start().op('N');
        for (int i = 0; i < opcodes; i++) {
            bytes.op(first, second);
        }
        return bytes.stop();
    }

    @DisplayName("limits: as many opcodes, values, marks and memo slots as allowed, and one more")
    @Test
    void eachLimitHoldsAtItAndOnePast() {
        limit(Limit.PICKLE_OPCODES, 22, pairs(10, 'N', '0'), pairs(11, 'N', '0'));
        PickleBytes four = PickleBytes.start().op('(', 'N', 'N', 'N', 'N', 't');
        PickleBytes five = PickleBytes.start().op('(', 'N', 'N', 'N', 'N', 'N', 't');
        limit(Limit.PICKLE_STACK, 4, four.stop(), five.stop());
        PickleBytes fourMarks = PickleBytes.start().op('(', '(', '(', '(', '1', '1', '1', '1', 'N');
        PickleBytes fiveMarks = PickleBytes.start().op('(', '(', '(', '(', '(', '1', '1', '1', '1', '1', 'N');
        limit(Limit.PICKLE_STACK, 4, fourMarks.stop(), fiveMarks.stop());
        PickleBytes three = PickleBytes.start().op('N', 'q', 1, 'q', 2, 'q', 3);
        PickleBytes more = PickleBytes.start().op('N', 'q', 1, 'q', 2, 'q', 3, 'q', 4);
        limit(Limit.PICKLE_MEMO, 3, three.stop(), more.stop());
    }

    @DisplayName("limits: as many bytes of a pickle and of a string as allowed, and one more")
    @Test
    void pickleAndStringsHaveALargestSize() {
        byte[] bytes = PickleBytes.start().text("x".repeat(34)).stop();
        byte[] more = PickleBytes.start().text("x".repeat(35)).stop();
        limit(Limit.PICKLE_BYTES, bytes.length, bytes, more);
        limit(Limit.PICKLE_STRING, 34, bytes, more);
        byte[] line = PickleBytes.start().ascii("S'" + "x".repeat(30) + "'\n").stop();
        byte[] longer = PickleBytes.start().ascii("S'" + "x".repeat(31) + "'\n").stop();
        limit(Limit.PICKLE_STRING, 32, line, longer);
    }

    @DisplayName("limits: numbers as long as allowed, and one byte or digit longer")
    @Test
    void numbersHaveALargestSize() {
        byte[] two = PickleBytes.proto2().op(0x8a, 2, 1, 1).stop();
        byte[] three = PickleBytes.proto2().op(0x8a, 3, 1, 1, 1).stop();
        limit(Limit.INTEGER_BYTES, 2, two, three);
        byte[] digits = PickleBytes.start().ascii("I123\n").stop();
        byte[] more = PickleBytes.start().ascii("I1234\n").stop();
        limit(Limit.NUMBER_DIGITS, 3, digits, more);
    }
}
