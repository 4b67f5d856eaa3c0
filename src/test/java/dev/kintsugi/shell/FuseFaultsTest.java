package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.fault.Status;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What `fuse` refuses, and what it says then.
class FuseFaultsTest {
    @ParameterizedTest(name = "{1}")
    @CsvSource(delimiter = '|', textBlock = """
        K7001 | fuse taskarithmetic e1 e2 --as x               | did you mean task-arithmetic?
        K7001 | methods tise                                   | did you mean ties?
        K7002 | fuse ties e1 e2 --as x                         | --base
        K7002 | fuse linear e1 e2 --base base --as x           | leave --base out
        K7002 | fuse linear e1 e2 --density 0.5 --as x         | linear has no option density
        K7002 | fuse ties e1 --base base --option densty=1 --as x | did you mean density?
        K7002 | fuse ties e1 --base base --option density --as x  | --option density=0.5
        K7002 | fuse ties e1 --base base --density 2 --as x    | outside 0.0 to 1.0
        K7002 | fuse ties e1 --base base --lambda e1=2 --as x  | given for one model
        K7002 | fuse linear e1 e2 --weights 1,2,3 --as x       | 3 values for 2 models
        K7002 | fuse linear e1 e2 --weights e1=1,2 --as x      | put lists in brackets
        K7002 | fuse linear e1 e2 --weights e9=1 --as x        | did you mean e1?
        K7002 | fuse linear e1 e2 --weights many --as x        | no number
        K7002 | fuse linear e1 e2 --weights 1,-1 --as x        | the weights sum to 0
        K7002 | fuse linear e1 e2 --crop-vocabulary --as x     | --from
        K7002 | fuse linear e1 e1 --as x                       | named twice
        K7002 | fuse slerp e1 --base base --as x               | slerp needs t
        K7002 | fuse attention e1 e2 --granularity cell --as x | granularity
        K1005 | fuse linear e1 e2 --layers layers.7.** --as x  | no tensor matches layers.7.**
        K1005 | fuse linear e1 e2 --weights @layers.7.**=1 --as x | no tensor matches
        K1004 | fuse linear e1 e4 --as x                       | did you mean e1?
        K1004 | fuse linear e1 e2@3 --as x                     | e2 has no rank 3
        K1003 | fuse linear e1 e2                              | fuse needs --as NAME
        K1003 | fuse linear --as x                             | see: methods
        K1003 | fuse linear e1 e2 --as 7x                      | begins with a letter
        K1002 | fuse linear e1 e2 --wieghts 1 --as x           | did you mean --weights?
        K1010 | fuse --from nowhere.yml --as x                 | no such file
        K7002 | fuse linear e1 --from nowhere.yml --as x       | the file says
        """)
    void isSaidWithTheRemedy(String code, String line, String said) {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            String errors = shell.fails(Status.USAGE, line);
            assertTrue(errors.contains("error[" + code + "]") && errors.contains(said), errors);
            assertEquals(4, shell.shell().session().models().size());
        }
    }

    @Test
    void rowsOfTheVocabularyThatWouldBeLostAreNamed() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            shell.type("open " + FuseShell.MODELS.resolve("llama-fp32/e1-bigvocab") + " --as big");
            String errors = shell.fails(Status.REFUSED, "fuse linear e2 big --as x");
            assertTrue(
                    errors.contains("error[K7003]: model.embed_tokens.weight has 46 rows in big and 40 in e2")
                            && errors.contains("would lose 6 tokens, ids 40 to 45")
                            && errors.contains("--layers"),
                    errors);
            shell.type("fuse linear e2 big --layers '!**.embed_tokens.weight' --layers '!**lm_head.weight' --as x");
        }
    }

    @Test
    void rowsOfOneNumberThatStandForDifferentTokensAreNotMixed() {
        Path family = FuseShell.MODELS.resolve("llama-fp32");
        try (FuseShell shell = new FuseShell()) {
            shell.type("open " + family.resolve("base") + " --as a --sidecars " + family.resolve("tok-a"));
            shell.type("open " + family.resolve("e1") + " --as b --sidecars " + family.resolve("tok-b"));
            shell.type("open " + family.resolve("e2") + " --as same --sidecars " + family.resolve("tok-a"));
            shell.type("open " + family.resolve("e3") + " --as none");
            String errors = shell.fails(Status.REFUSED, "fuse linear a same b --as x");
            assertTrue(
                    errors.contains("error[K7003]: the vocabularies of a and b differ: row 3 is w0 in a and w31 in b;"
                                    + " 37 rows of that kind")
                            && errors.contains("9 tokens of b would be lost: x0 x1 x2 x3 x4 and 4 more"),
                    errors);
            assertTrue(shell.fails(Status.REFUSED, "fuse ties none a --base b --as x")
                    .contains("vocabularies of a and b differ"));
            shell.type("fuse linear a same none --as y");
            shell.type("fuse linear a b --layers '!**.embed_tokens.weight' --layers '!**lm_head.weight' --as x");
        }
    }

    @Test
    void modelsOfOtherShapesAreToldApartByName() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            shell.type("open " + FuseShell.RUNS.resolve("tied_2/expected") + " --as other");
            String errors = shell.fails(Status.REFUSED, "fuse linear e1 other --layers '**.mlp.**' --as x");
            assertTrue(errors.contains("K7003") && errors.contains("in e1 and"), errors);
        }
    }
}
