package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AliasVerbTest {
    @TempDir
    Path home;

    private Typescript shell;

    @BeforeEach
    void open() {
        shell = new Typescript(home);
        shell.run("open src/test/resources/fsdp/hsdp_2x2/ckpt --as actor");
        shell.take(home);
    }

    @AfterEach
    void close() {
        shell.close();
    }

    @Test
    void anAliasStandsForTheBeginningOfACommand() {
        shell.run("alias norms='tensors actor **.norm.weight'; alias n=norms");
        shell.run("n --format csv");
        shell.run("alias");
        shell.run("alias n; alias n=; alias n");
        assertEquals("""
            > alias norms='tensors actor **.norm.weight'; alias n=norms
            > n --format csv
            tensor,dtype,shape,bytes,stored
            model.norm.weight,BF16,[48],96,
            > alias
            name   command
            n      norms
            norms  tensors actor **.norm.weight
            > alias n; alias n=; alias n
            name  command
            n     norms
            error[K1003]: there is no alias n
              why: there are norms
              try: make one with: alias n='COMMAND'
            """, shell.take(home));
    }

    @Test
    void aliasesThatWouldMislead() {
        shell.run("alias tensors='tensors --all'");
        shell.run("alias ls='tensors --all'");
        shell.run("alias two='models; info'");
        shell.run("alias x='modles'");
        shell.run("alias 1='models'");
        shell.run("alias a=models; alias b=a; alias a=b; a");
        assertEquals("""
            > alias tensors='tensors --all'
            error[K1009]: alias tensors: there is a command of that name
              why: a recipe that says tensors means the command
              try: take another name
            > alias ls='tensors --all'
            error[K1009]: alias ls: there is a command of that name
              why: a recipe that says ls means the command
              try: take another name
            > alias two='models; info'
            error[K1006]: alias two: 2 commands
              why: an alias stands for the beginning of one
              try: write several commands as a recipe, and an alias for: run FILE.rsh
            > alias x='modles'
            error[K1001]: there is no command modles
              why: close to it: models
              try: did you mean models?
            > alias 1='models'
            error[K1003]: alias 1: no name for an alias
              why: a name begins with a letter and has letters, digits, _ -
              try: write for example: alias ll='tensors --all'
            > alias a=models; alias b=a; alias a=b; a
            error[K1006]: the alias a stands for itself
              why: by way of a, b
              try: take it away with: alias a=
            """, shell.take(home));
    }

    @Test
    void aRecipeThatMakesAnAliasIsCheckedWithIt() throws IOException {
        Path recipe = home.resolve("r.rsh");
        Files.writeString(recipe, "alias ll='tensors --all'\nll actor\n");
        assertEquals(Status.DONE, shell.run("check " + recipe));
        assertEquals(Status.USAGE, shell.run("ll actor"), "checking made no alias");
        assertEquals(Status.DONE, shell.run("run " + recipe));
        assertEquals(Status.DONE, shell.run("ll actor"));
    }

    @Test
    void anAliasCompletesAsItsCommandDoes() {
        shell.run("alias norms='tensors actor'");
        Completions completions = shell.shell().session().completions();
        assertEquals(
                List.of("norms"),
                completions.of(List.of("nor")).stream()
                        .map(Completions.Proposal::value)
                        .toList());
        assertEquals(
                List.of("lm_head."),
                completions.of(List.of("norms", "lm")).stream()
                        .map(Completions.Proposal::value)
                        .toList());
    }
}
