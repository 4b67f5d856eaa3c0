package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.selector.Selector;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What Tab proposes for names of tensors.
class CompletionsTest {
    private final Screen screen = Screen.piped();

    @BeforeEach
    void open() {
        screen.done("open docs/sample/actor --as actor");
    }

    @AfterEach
    void close() {
        screen.close();
    }

    private List<Completions.Proposal> proposals(String command, String typed) {
        return screen.shell().session().completions().of(List.of(command, "actor", typed));
    }

    private List<String> values(String command, String typed) {
        return proposals(command, typed).stream()
                .map(Completions.Proposal::value)
                .toList();
    }

    @Test
    void aWordCompletesFromItsFirstSegmentOrFromAnyLaterOne() {
        assertEquals(List.of("layers."), values("explain", "lay"));
        assertEquals(List.of("layers.0.", "layers.1."), values("explain", "layers."));
        assertEquals(List.of("layers.0.self_attn."), values("tensors", "layers.0.s"));
        assertEquals(List.of("model.norm."), values("show", "model.no"));
        assertEquals(List.of("norm."), values("show", "nor"));
        assertEquals(List.of(), values("show", "ayers"), "a suffix begins with a segment");
    }

    @Test
    void besideANameIsItsTypeAndBesideASharedEndHowManyHaveIt() {
        assertEquals(
                List.of("norm.weight BF16 [32] 64 B true"),
                proposals("explain", "norm.w").stream()
                        .map(p -> p.value() + " " + p.description() + " " + p.complete())
                        .toList());
        assertEquals(
                List.of("mlp.up_proj.weight 2 tensors true"),
                proposals("stats", "mlp.up_proj.w").stream()
                        .map(p -> p.value() + " " + p.description() + " " + p.complete())
                        .toList());
    }

    @Test
    void whereOneTensorIsMeantASharedEndGivesTheWholeNames() {
        assertEquals(
                List.of("model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"),
                values("explain", "mlp.up_proj.w"));
    }

    @Test
    void aTermThatRemovesCompletesBehindItsMark() {
        assertEquals(List.of("!model."), values("tensors", "!mod"));
        assertEquals(List.of("!norm.weight"), values("tensors", "!norm.w"));
    }

    /// Whatever Tab leads to from any beginning, the commands take.
    @Test
    void whatIsCompletedIsTaken() {
        Model actor = screen.shellModel("actor");
        Set<String> starts = new TreeSet<>(List.of(""));
        actor.tensors().names().forEach(n -> List.of(n.split("\\.")).forEach(s -> starts.add(s.substring(0, 1))));
        for (String command : List.of("explain", "tensors")) {
            Set<String> seen = new TreeSet<>();
            List<String> open = new ArrayList<>(starts);
            while (!open.isEmpty()) {
                for (Completions.Proposal proposal : proposals(command, open.removeLast())) {
                    boolean isName = proposal.value().contains(".") && seen.add(proposal.value());
                    if (isName && proposal.complete()) {
                        assertTaken(actor, command, proposal.value());
                    } else if (isName) {
                        open.add(proposal.value());
                    }
                }
            }
            assertTrue(seen.size() > 100, command + " " + seen);
        }
    }

    private static void assertTaken(Model actor, String command, String value) {
        assertFalse(value.endsWith("."), value);
        if (command.equals("explain")) {
            assertTrue(NamedTensor.of(actor, value).name().endsWith(value), value);
        } else {
            Selector selector = Selector.parse(List.of(value));
            assertTrue(actor.tensors().names().stream().anyMatch(selector::testName), value);
        }
    }

    /// The shortest of many, so that a busy machine does not fail it.
    @ParameterizedTest
    @ValueSource(strings = {"model.layers.77", "layers.77", "mlp.experts.5", "wei"})
    void tabTakesLessThan50MillisecondsAmong100000Names(String word) {
        double seconds = CompletionTrial.shortest(100_000, 30, word);
        assertTrue(seconds < 0.050, word + " " + seconds + " s");
    }
}
