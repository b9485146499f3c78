import java.io.FileInputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Checks PDF files against PDF/A and PDF/UA (3a,ua1): prints a line a file and kind, and one for each rule that it breaks. */
public class CheckPdfa {
    public static void main(String[] arguments) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        for (String name : arguments[0].split(",")) {
            check(name, arguments);
        }
    }

    private static void check(String name, String[] arguments) throws Exception {
        PDFAFlavour flavour = PDFAFlavour.byFlavourId(name);
        for (int index = 1; index < arguments.length; index++) {
            try (FileInputStream file = new FileInputStream(arguments[index]); PDFAParser parser = Foundries.defaultInstance().createParser(file, flavour)) {
                PDFAValidator validator = Foundries.defaultInstance().createValidator(flavour, 100, false, false, false);
                ValidationResult result = validator.validate(parser);
                System.out.println((result.isCompliant() ? "valid " : "INVALID ") + name + " " + arguments[index]);
                for (TestAssertion broken : result.getTestAssertions()) {
                    System.out.println("  " + broken.getRuleId().getClause() + "-" + broken.getRuleId().getTestNumber() + " " + broken.getMessage() + " at " + broken.getLocation().getContext());
                }
            }
        }
    }
}
