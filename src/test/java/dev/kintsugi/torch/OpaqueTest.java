package dev.kintsugi.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.PickleBytes;
import dev.kintsugi.pickle.PickleMachine;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What counts as an opaque call, by ways in which Python runs code that no look at the function called would show.
class OpaqueTest {
    private static List<String> opaque(PickleBytes pickle) {
        return Opaque.in(PickleMachine.readAll("p", pickle.stop()));
    }

    private static PickleBytes pickle(Consumer<PickleBytes> content) {
        PickleBytes bytes = PickleBytes.proto2();
        content.accept(bytes);
        return bytes;
    }

    @DisplayName("P-01 each import that runs a command is an opaque call")
    @ParameterizedTest
    @MethodSource("dev.kintsugi.DangerousImports#runACommand")
    void eachImportThatRunsACommandIsOpaque(String module, String name) {
        assertEquals(
                List.of(module + "." + name + "(\"id\")"),
                opaque(PickleBytes.proto2().call(module, name, "id")));
    }

    @DisplayName("P-02 each way around a name is an opaque call")
    @ParameterizedTest
    @MethodSource("dev.kintsugi.DangerousImports#leadToAnother")
    void eachWayAroundANameIsOpaque(String module, String name) {
        assertEquals(
                List.of(module + "." + name + "(\"os.system\")"),
                opaque(PickleBytes.proto2().call(module, name, "os.system")));
    }

    static Stream<Arguments> evasions() {
        return Stream.of(
                Arguments.of(
                        "a known function that calls its first argument",
                        "posix.system",
                        pickle(p -> p.global("torch._tensor", "_rebuild_from_type_v2")
                                .op('(')
                                .global("posix", "system")
                                .global("torch", "Tensor")
                                .text("id")
                                .op(0x85, '}', 't', 'R'))),
                Arguments.of(
                        "a known function that makes a class of its first argument",
                        "subprocess.Popen",
                        pickle(p -> p.global("copyreg", "_reconstructor")
                                .op('(')
                                .global("subprocess", "Popen")
                                .global("subprocess", "Popen")
                                .text("id")
                                .op('t', 'R'))),
                Arguments.of(
                        "a dotted name of a known module",
                        "torch.nn.parameter.torch.os.system(\"id\")",
                        pickle(p -> p.text("torch.nn.parameter")
                                .text("torch.os.system")
                                .op(0x93)
                                .text("id")
                                .op(0x85, 'R'))),
                Arguments.of(
                        "another name of a known module",
                        "torch.distributed.device_mesh.os",
                        pickle(p -> p.global("torch.distributed.device_mesh", "os"))),
                Arguments.of(
                        "a state that makes a method of a function",
                        "posix.system",
                        pickle(p -> p.global("collections", "OrderedDict")
                                .op(')', 'R', '}')
                                .text("__setstate__")
                                .global("posix", "system")
                                .op('s', 'b')
                                .text("id")
                                .op('b'))),
                Arguments.of(
                        "a call that is second of its name",
                        "posix.system",
                        pickle(p -> p.global("torch._tensor", "_rebuild_from_type_v2")
                                .op('q', 0, ')', 'R', '0')
                                .op('h', 0, '(')
                                .global("posix", "system")
                                .op('t', 'R'))));
    }

    @DisplayName("P-01, P-13 what is given to known functions and objects counts too")
    @ParameterizedTest(name = "{0}")
    @MethodSource("evasions")
    void whatIsGivenToKnownFunctionsCounts(String how, String told, PickleBytes pickle) {
        assertEquals(List.of(told), opaque(pickle), how);
    }

    @ParameterizedTest
    @CsvSource({
        "megatron.enums, PositionEmbeddingType",
        "megatron.model.enums, AttnMaskType",
        "megatron.core.rerun_state_machine, RerunMode",
        "pathlib._local, PosixPath",
        "numpy.core.multiarray, _reconstruct",
        "torch.distributed._tensor.placement_types, _Partial",
        "torch, float4_e2m1fn_x2"
    })
    void whatOtherVersionsSaveIsKnown(String module, String name) {
        assertEquals(List.of(), opaque(PickleBytes.proto2().call(module, name, "x")));
        assertEquals(
                List.of(module + "." + name + "x(\"x\")"),
                opaque(PickleBytes.proto2().call(module, name + "x", "x")));
    }

    @DisplayName("P-02 only one attribute of one class may be looked up")
    @Test
    void onlyOneAttributeMayBeLookedUp() {
        String type = "torch.distributed._shard.sharded_tensor.api";
        PickleBytes known =
                PickleBytes.proto2().global("__builtin__", "getattr").global(type, "ShardedTensor");
        known.text("ProcessGroupState").op(0x86, 'R', ')', 0x81);
        assertEquals(List.of(), opaque(known));
        PickleBytes other = PickleBytes.proto2().global("builtins", "getattr").global(type, "ShardedTensor");
        other.text("__init__").op(0x86, 'R').text("x").op(0x85, 'R');
        assertEquals(
                List.of(
                        "builtins.getattr(the global " + type + ".ShardedTensor, \"__init__\")",
                        "<a call of builtins.getattr>(\"x\")"),
                opaque(other));
        PickleBytes through = PickleBytes.proto2().global("builtins", "getattr").global("collections", "OrderedDict");
        through.text("fromkeys").op(0x86, 'R');
        assertEquals(1, opaque(through).size());
    }

    @DisplayName("P-02 a crowd of innocent lookups hides nothing")
    @ParameterizedTest
    @ValueSource(ints = {99, 100, 1000})
    void aCrowdOfLookupsHidesNothing(int crowd) {
        String type = "torch.distributed._shard.sharded_tensor.api";
        PickleBytes pickle = PickleBytes.proto2();
        for (int i = 0; i < crowd; i++) {
            pickle.global("__builtin__", "getattr").global(type, "ShardedTensor");
            pickle.text("ProcessGroupState").op(0x86, 'R', '0');
        }
        pickle.global("__builtin__", "getattr")
                .global(type, "ShardedTensor")
                .text("__init__")
                .op(0x86, 'R');
        assertTrue(!opaque(pickle).isEmpty());
    }
}
